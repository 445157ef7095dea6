// What the modules of the page share: its parts, the state of the image, and messages.

import { api, PageError } from "./api.js";
import { Legend } from "./legend.js";
import { Stage } from "./stage.js";
import { SavedEdits, Walk } from "./walk.js";
import { WordList } from "./vocabulary.js";

export const $ = (id) => document.getElementById(id);
export const stage = new Stage($("view"), $("tip"));
export const legend = new Legend($("legend"), $("legend-empty"));
export const savedEdits = new SavedEdits();
export const words = new WordList(
  { chips: $("chips"), form: $("word-form"), input: $("word"), select: $("benchmark"), clear: $("clear-words") },
  api.vocabulary,
);
export const state = {
  walk: new Walk(), session: null, map: null, names: [], noClicks: "",
  hiddenNames: new Set(), hiddenIds: new Set(), selection: new Set(),
  prompt: null, candidate: null, edited: false, turn: 0, opening: 0,
};

stage.hidden = (segment) => state.hiddenIds.has(segment.id) || state.hiddenNames.has(segment.name);
export const hiddenList = () => (state.map ? state.map.segments.filter(stage.hidden).map((segment) => segment.id) : []);

let running = 0;

// Run an action of the user with a sign that it runs; its failure is shown as one sentence.
export async function busy(text, action) {
  running += 1;
  $("busy-text").textContent = text;
  $("busy").hidden = false;
  $("error").textContent = "";
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    $("error").textContent = error.message;
    return null;
  } finally {
    running -= 1;
    $("busy").hidden = running === 0;
  }
}

export const say = (text) => ($("status").textContent = text);
export const seconds = (value) => (value === 0 ? "reused" : value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(2)} s`);
export const radio = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
export const setRadio = (name, value) => (document.querySelector(`input[name="${name}"][value="${value}"]`).checked = true);
