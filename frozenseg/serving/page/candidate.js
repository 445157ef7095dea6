// Mask of a click that waits for the user: kept, erased or dropped.

import { $, stage, state } from "./page_state.js";

export function dropCandidate() {
  state.prompt = state.candidate = null;
  stage.marks = { points: [], box: null, stroke: [] };
  stage.corner = null;
  $("candidate").hidden = true;
  stage.setMask(null);
}
