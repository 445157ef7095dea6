// The page: connects words, image, legend and keys.

import { api } from "./api.js";
import { dropCandidate } from "./candidate.js";
import { droppedFiles } from "./dropped_files.js";
import { exportAll, newImage, start, step } from "./images.js";
import "./compare.js";
import { readLink } from "./link.js";
import { $, busy, legend, savedEdits, say, setRadio, stage, state, words } from "./page_state.js";
import { keepCandidate } from "./prompts.js";
import { edit, editSelection, predict, refresh, toggleClass, toggleSegment, undo } from "./segments.js";
import { saveSoon } from "./session.js";
import { applyLook, remember } from "./settings.js";
import { Walk } from "./walk.js";
import "./downloads.js";

const TYPING_MS = 250;

let typing = 0;
words.addEventListener("change", () => {
  clearTimeout(typing);
  typing = setTimeout(predict, TYPING_MS);
});
for (const name of ["view", "sam"]) {
  for (const input of document.querySelectorAll(`input[name="${name}"]`)) input.addEventListener("change", predict);
}
for (const input of document.querySelectorAll('input[name="tool"]')) input.addEventListener("change", () => setTool(input.value));
for (const id of ["opacity", "outlines", "labels"]) $(id).addEventListener("input", applyLook);
for (const id of ["opacity", "outlines", "labels"]) $(id).addEventListener("change", saveSoon);
for (const id of ["files", "folder", "camera"]) {
  $(id).addEventListener("change", () => {
    const files = [...$(id).files];
    $(id).value = "";
    if (files.length) start(Walk.ofFiles(files));
  });
}
legend.addEventListener("hide", ({ detail: { name, id } }) => {
  if (name === undefined) toggleSegment(state.map.byId.get(id));
  else toggleClass(name);
  stage.repaint();
  refresh();
  saveSoon();
});
legend.addEventListener("select", ({ detail: { ids } }) => {
  const isSelected = ids.every((id) => state.selection.has(id));
  for (const id of ids) state.selection[isSelected ? "delete" : "add"](id);
  stage.isolated = null;
  stage.repaint();
  refresh();
});
for (const input of document.querySelectorAll("[data-edit]")) input.addEventListener("click", () => editSelection(input.dataset.edit));
$("deselect").addEventListener("click", () => {
  state.selection.clear();
  stage.isolated = null;
  stage.repaint();
  refresh();
});
$("rename").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("new-name").value.trim();
  if (name && (await edit({ action: "rename", ids: [...state.selection], name }))) {
    $("rename").hidden = true;
    say(`Renamed to ${name}.`);
  }
});
$("candidate").addEventListener("submit", (event) => (event.preventDefault(), keepCandidate()));
$("erase").addEventListener("click", async () => (await edit({ action: "erase" })) && (dropCandidate(), say("Erased.")));
$("cancel").addEventListener("click", dropCandidate);
$("undo").addEventListener("click", () => undo("undo"));
$("redo").addEventListener("click", () => undo("redo"));
$("zoom-in").addEventListener("click", () => stage.zoomBy(1.5));
$("zoom-out").addEventListener("click", () => stage.zoomBy(1 / 1.5));
$("zoom-fit").addEventListener("click", () => stage.zoomBy(0));
$("new-image").addEventListener("click", newImage);
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
$("export-all").addEventListener("click", () => busy("Exporting all images", exportAll));
$("help").addEventListener("click", () => $("keys").showModal());
$("forget").addEventListener("click", async () => (await savedEdits.forget(), say("The saved edits were deleted.")));
$("copy-link").addEventListener("click", async () => {
  remember();
  await navigator.clipboard.writeText(location.href).then(() => say("The link was copied; it has the words and settings, not the image."), () => say(`Copy the address: ${location.href}`));
});

// ---- files: drop and paste ------------------------------------------------------------------------------------------

for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer || ![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    $("canvas-box").classList.toggle("dropping", name === "dragover");
    if (name === "drop") startDropped(event.dataTransfer);
  });
}
async function startDropped(transfer) {
  const paths = await busy("Reading the files", () => droppedFiles(transfer));
  if (paths) await start(Walk.ofFiles(paths.keys(), (file) => paths.get(file)));
}

document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length) start(Walk.ofFiles(files));
});

// ---- keys -----------------------------------------------------------------------------------------------------------

function setTool(tool) {
  const input = document.querySelector(`input[name="tool"][value="${tool}"]`);
  if (input.disabled) return;
  input.checked = true;
  stage.tool = tool;
  $("view").dataset.tool = tool;
}

const KEYS = {
  l: () => setTool("look"), p: () => setTool("point"), n: () => setTool("negative"), b: () => setTool("box"),
  r: () => setTool("brush"), k: () => editSelection("keep"), m: () => editSelection("merge"),
  f2: () => editSelection("rename"), delete: () => editSelection("delete"), "[": () => step(-1), "]": () => step(1),
  "+": () => stage.zoomBy(1.5), "-": () => stage.zoomBy(1 / 1.5), 0: () => stage.zoomBy(0), escape: dropCandidate,
  "?": () => $("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  const isText = event.target.matches("input:not([type]), select, textarea");
  if ($("keys").open || event.altKey || (isText && event.key !== "Escape")) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() !== "z" || !state.session) return;
    event.preventDefault();
    undo(event.shiftKey ? "redo" : "undo");
  } else if (event.key === "Enter" && state.candidate && event.target === $("view")) {
    keepCandidate();
  } else if (KEYS[event.key.toLowerCase()] && (state.walk.current || event.key === "?")) {
    event.preventDefault();
    KEYS[event.key.toLowerCase()]();
  }
});

// ---- begin ----------------------------------------------------------------------------------------------------------

function restoreLink() {
  const link = readLink(location.hash);
  for (const name of ["view", "sam"]) if (link[name]) setRadio(name, link[name]);
  if (link.opacity !== null) $("opacity").value = link.opacity;
  for (const name of ["outlines", "labels"]) if (link[name] !== null) $(name).checked = link[name];
  return link.items;
}

async function begin() {
  const server = await api.state();
  $("model").textContent = server.model;
  words.offer(server.vocabularies, server.auto, $("benchmark"));
  if (server.no_clicks) {
    state.noClicks = server.no_clicks;
    for (const input of document.querySelectorAll('input[name="tool"]:not([value="look"]), input[name="sam"]:not([value="off"])')) {
      input.disabled = true;
      input.parentElement.title = server.no_clicks;
    }
  }
  for (let sample = 1; sample <= server.samples; sample++) {
    const image = Object.assign(new Image(), { src: `page/samples/${sample}.png`, alt: `Sample ${sample}`, width: 92, height: 92 });
    const choose = Object.assign(document.createElement("button"), { type: "button" });
    choose.append(image);
    choose.addEventListener("click", () => start(Walk.ofSample(sample)));
    $("samples").append(choose);
  }
  const linked = restoreLink();
  const items = linked.length ? linked : [...server.classes, ...server.benchmarks.map((benchmark) => ({ benchmark }))];
  applyLook();
  words.set(items.map((item) => (item.benchmark ? { ...item, count: words.counts.get(item.benchmark) || 0 } : item)));
  document.documentElement.dataset.ready = "true";
}

setTool("look");
busy("Loading", begin);
