// Settings of the view, the theme, and the link that restores them.

import { $, radio, stage, words } from "./page_state.js";
import { writeLink } from "./link.js";

export function remember() {
  const settings = { items: words.items, view: radio("view"), sam: radio("sam"), opacity: Number($("opacity").value), outlines: $("outlines").checked, labels: $("labels").checked };
  history.replaceState(null, "", writeLink(settings));
}

export function applyLook() {
  stage.look = { opacity: $("opacity").value / 100, outlines: $("outlines").checked, labels: $("labels").checked };
  $("opacity-value").textContent = `${$("opacity").value}%`;
  remember();
  stage.draw();
}

const systemTheme = matchMedia("(prefers-color-scheme: dark)");
const theme = () => localStorage.getItem("theme") || (systemTheme.matches ? "dark" : "light");
const applyTheme = () => (document.documentElement.dataset.theme = theme());
systemTheme.addEventListener("change", applyTheme);
applyTheme();
$("theme").addEventListener("click", () => {
  localStorage.setItem("theme", theme() === "dark" ? "light" : "dark");
  applyTheme();
});
