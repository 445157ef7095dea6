// Divider between the segments without and with SAM proposals: dragged, or moved by the arrow keys.

import { $, stage } from "./page_state.js";

const divider = $("divider");

// Put the divider where the canvas draws the border.
function place() {
  if (divider.hidden || !stage.width) return;
  const border = stage.onPage(stage.width * stage.split, 0).x - $("canvas-box").getBoundingClientRect().left;
  divider.style.left = `${border}px`;
  divider.setAttribute("aria-valuenow", String(Math.round(100 * stage.split)));
}

function move(split) {
  stage.split = Math.min(Math.max(split, 0), 1);
  stage.draw();
}

stage.addEventListener("draw", place);
new MutationObserver(place).observe(divider, { attributes: true, attributeFilter: ["hidden"] });
divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
divider.addEventListener("pointermove", (event) => {
  if (divider.hasPointerCapture(event.pointerId)) move(stage.position(event).x / stage.width);
});
divider.addEventListener("keydown", (event) => {
  const change = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
  if (!change) return;
  event.preventDefault();
  move(stage.split + change);
});
