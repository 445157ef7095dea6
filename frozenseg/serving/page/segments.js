// Segments of the image: predictions of the words, edits, and what is shown of them.

import { api } from "./api.js";
import { SegmentMap } from "./segment_map.js";
import { $, busy, legend, say, seconds, stage, state, words } from "./page_state.js";
import { dropCandidate } from "./candidate.js";
import { inSession, predictionBody, save, saveSoon } from "./session.js";
import { remember } from "./settings.js";

let predicting = 0; // predictions that have not been answered

// Segment by the words; with keepSaved the saved edits of the image are left for being restored.
export async function predict({ keepSaved = false } = {}) {
  remember();
  if (!state.session) return;
  if (words.isEmpty) {
    say("Type the words to look for.");
    return;
  }
  const turn = (state.turn += 1);
  const { opening } = state;
  const body = predictionBody();
  const text = !body.proposals ? "Reading the words" : "Reading the words; SAM proposes masks";
  predicting += 1;
  const answer = await busy(text, () => inSession((session) => api.predict(session, body))).finally(() => (predicting -= 1));
  if (!answer || turn !== state.turn || opening !== state.opening) return;
  state.hiddenIds.clear();
  state.selection.clear();
  dropCandidate();
  show(answer, answer.other ? new SegmentMap(answer.other) : null);
  $("words-time").textContent = seconds(answer.vocabulary_seconds);
  if (answer.image_seconds) $("image-time").textContent = seconds(answer.image_seconds);
  else if ($("image-time").textContent !== "–") $("image-time").title = "The features of the image were reused.";
  const count = answer.segments.length;
  say(`${count} segment${count === 1 ? "" : "s"} of ${answer.classes} class${answer.classes === 1 ? "" : "es"} in ${seconds(answer.vocabulary_seconds)}; the features of the image were ${answer.image_seconds ? "computed" : "reused"}.`);
  if (!keepSaved) await save();
}

export function show(answer, other = null) {
  state.map = new SegmentMap(answer);
  state.names = answer.names;
  state.selection = new Set([...state.selection].filter((id) => state.map.byId.has(id)));
  $("undo").disabled = !answer.can_undo;
  $("redo").disabled = !answer.can_redo;
  stage.show(state.map, other);
  refresh();
  const names = state.map.segments.map((segment) => segment.name).join(", ");
  $("view").setAttribute("aria-label", `Image of ${answer.width} × ${answer.height} pixels with ${answer.segments.length} segments: ${names || "none"}`);
}

export function refresh() {
  $("divider").hidden = !stage.other;
  legend.render(state.map, stage.hidden, state.selection);
  $("names").replaceChildren(...state.names.slice(0, 500).map((name) => new Option(name, name)));
  const count = state.selection.size;
  $("selection").hidden = count === 0;
  const chosen = state.map ? [...state.selection].map((id) => state.map.byId.get(id)) : [];
  const isKept = count > 0 && chosen.every((segment) => segment.kept);
  $("selection-text").textContent = count === 1 ? `Selected: ${chosen[0].name}` : `${count} segments are selected`;
  document.querySelector('[data-edit="keep"]').textContent = isKept ? "Release" : "Keep";
  document.querySelector('[data-edit="merge"]').disabled = count < 2;
  if (!count) $("rename").hidden = true;
}

// Show a class with all its segments if all are hidden, else hide it, in the next images, too.
export function toggleClass(name) {
  const segments = state.map.segments.filter((segment) => segment.name === name);
  const isHidden = segments.every(stage.hidden);
  for (const { id } of segments) state.hiddenIds.delete(id);
  state.hiddenNames[isHidden ? "delete" : "add"](name);
}

// Show or hide a segment; of a hidden class, show it alone.
export function toggleSegment(segment) {
  const { id, name } = segment;
  if (state.hiddenNames.delete(name)) {
    for (const each of state.map.segments) if (each.name === name) state.hiddenIds.add(each.id);
  }
  if (!state.hiddenIds.delete(id)) state.hiddenIds.add(id);
}

export async function edit(body) {
  if (predicting && body.ids) {
    say("The words are being read: select the segments of the new map."); // ids of the old one may be others there
    return false;
  }
  const answer = await busy("Editing", () => inSession((session) => api.edit(session, body)));
  if (!answer) return false;
  state.edited = true;
  stage.isolated = null;
  show(answer, stage.other);
  saveSoon();
  return true;
}

// Undo or redo the last change of the segments; the words stay.
export async function undo(action) {
  state.selection.clear();
  dropCandidate();
  if (await edit({ action })) say(action === "undo" ? "Undone." : "Repeated.");
}

export async function editSelection(action) {
  const ids = [...state.selection];
  if (!ids.length) return;
  if (action === "rename") {
    $("rename").hidden = false;
    $("new-name").value = state.map.byId.get(ids[0]).name;
    $("new-name").select();
    return;
  }
  const chosen = ids.map((id) => state.map.byId.get(id));
  const isRelease = action === "keep" && chosen.every((segment) => segment.kept);
  if (await edit({ action: isRelease ? "release" : action, ids })) {
    say({ keep: isRelease ? "A new prediction may replace them." : "New predictions leave them.", merge: "Merged.", delete: "Deleted." }[action]);
  }
}
