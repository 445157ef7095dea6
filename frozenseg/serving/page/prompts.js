// Points, boxes and strokes: SAM's mask and its names, until the user keeps or drops it.

import { api } from "./api.js";
import { dropCandidate } from "./candidate.js";
import { decodeRuns } from "./segment_map.js";
import { $, busy, say, seconds, stage, state, words } from "./page_state.js";
import { edit, refresh } from "./segments.js";
import { inSession } from "./session.js";

const LIKELY = 0.15; // probability from which the best word names a mask

async function ask(change) {
  const prompt = { points: [], positive: [], ...state.prompt, ...change };
  if (state.noClicks) {
    dropCandidate();
    $("error").textContent = state.noClicks;
    return;
  }
  if (!prompt.positive.some(Boolean) && !prompt.box && !prompt.stroke) {
    dropCandidate();
    say("First mark the object: a point inside of it, a box, or a stroke.");
    return;
  }
  state.prompt = prompt;
  stage.marks.points = prompt.points.map(([x, y], index) => [x, y, prompt.positive[index]]);
  stage.draw();
  const answer = await busy("SAM reads the click", () => inSession((session) => api.prompt(session, prompt)));
  if (!answer) return dropCandidate();
  if (state.prompt !== prompt) return undefined;
  state.candidate = answer;
  stage.setMask(decodeRuns(answer.runs, stage.width * stage.height));
  $("click-time").textContent = seconds(answer.seconds);
  $("candidate").hidden = false;
  const [best] = answer.names;
  const isLikely = best.score >= LIKELY;
  $("candidate-name").value = isLikely ? best.name : "";
  $("ranking").replaceChildren(...answer.names.slice(0, 4).map(rankedName));
  say(
    isLikely
      ? `${best.name}, probability ${best.score.toFixed(2)}; Enter keeps the mask.`
      : `None of the words is likely: the best is ${best.name} with ${best.score.toFixed(2)}. Type a name.`,
  );
  return undefined;
}

function rankedName({ name, score }) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: `${name} ${score.toFixed(2)}` });
  made.addEventListener("click", () => ($("candidate-name").value = name));
  return made;
}

export async function keepCandidate() {
  const name = $("candidate-name").value.trim();
  if (!state.candidate) return;
  if (!name) {
    $("candidate-name").focus();
    return;
  }
  if (await edit({ action: "add", name, stuff: words.isStuff(name) })) {
    dropCandidate();
    say(`${name} was added.`);
  }
}

stage.addEventListener("point", ({ detail: { x, y, positive } }) => {
  const { points = [], positive: signs = [] } = state.prompt || {};
  ask({ points: [...points, [x, y]], positive: [...signs, positive] });
});
stage.addEventListener("box", ({ detail: { box } }) => ask({ box }));
stage.addEventListener("stroke", ({ detail: { points } }) => {
  const sparse = points.filter((_, index) => index % Math.ceil(points.length / 1000) === 0);
  ask({ stroke: sparse, radius: stage.brushRadius });
});
stage.addEventListener("pick", ({ detail: { segment, add } }) => {
  const id = segment ? segment.id : null;
  if (add && segment && state.map.byId.has(id)) {
    if (!state.selection.delete(id)) state.selection.add(id);
    stage.isolated = null;
  } else {
    const isSame = stage.isolated === id;
    stage.isolated = isSame ? null : id;
    state.selection = new Set(stage.isolated === null ? [] : [id]);
  }
  stage.repaint();
  refresh();
});
stage.addEventListener("hover", ({ detail: { segment } }) => {
  if (stage.cross) say(segment ? stage.tip.textContent || segment.name : "No segment");
});
