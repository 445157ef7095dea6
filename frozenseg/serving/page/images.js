// Images: chosen, opened, walked through and exported together.

import { api } from "./api.js";
import { dropCandidate } from "./candidate.js";
import { download } from "./downloads.js";
import { $, busy, savedEdits, say, seconds, stage, state } from "./page_state.js";
import { predict, refresh, show } from "./segments.js";
import { lastEdits, openSession, save, wordsKey } from "./session.js";
import { exportZip, Walk } from "./walk.js";

export async function start(walk) {
  if (!walk.items.length) {
    $("error").textContent = "None of the files is an image: choose JPEG, PNG, WebP, GIF, BMP or TIFF files.";
    return;
  }
  await leave();
  state.walk = walk;
  await openImage(0);
}

async function openImage(index) {
  const item = state.walk.items[index];
  const opening = (state.opening += 1);
  await busy(`Reading ${item.name}`, async () => {
    state.walk.index = index;
    clear();
    showImage();
    const opened = await openSession(item);
    const bitmap = await decode(item, opened);
    if (opening !== state.opening) return void api.close(opened.session).catch(() => null);
    state.session = opened.session;
    stage.setImage(bitmap, opened.width, opened.height);
    $("image-time").textContent = seconds(opened.image_seconds);
    const saved = await lastEdits(item);
    await predict({ keepSaved: Boolean(saved) });
    if (saved && opening === state.opening && state.session) await restoreSaved(saved);
    return undefined;
  });
}

// Continue with saved edits, or with the segments that were hidden one by one, if the words are the same.
async function restoreSaved({ edited, coco, hiddenIds = [], words }) {
  if (edited) {
    state.edited = true;
    show(await api.restore(state.session, coco));
    say("Your saved edits of this image are restored.");
    hiddenIds = coco.annotations.flatMap(({ id }, index) => (hiddenIds.includes(id) ? [index + 1] : [])); // as it numbers them
  } else if (words !== wordsKey() || !hiddenIds.length) {
    return save();
  }
  state.hiddenIds = new Set(hiddenIds);
  stage.repaint();
  refresh();
  return save();
}

function clear() {
  Object.assign(state, { session: null, map: null, edited: false });
  state.hiddenIds.clear();
  state.selection.clear();
  dropCandidate();
  stage.setImage(null, 0, 0);
  refresh();
}

async function decode(item, opened) {
  if (item.file) {
    const bitmap = await createImageBitmap(item.file).catch(() => null);
    if (bitmap && bitmap.width === opened.width && bitmap.height === opened.height) return bitmap;
  }
  return createImageBitmap(await api.image(opened.session));
}

// Save an image before another one is opened, and end its session.
async function leave() {
  const { session } = state;
  if (!session) return;
  const saved = save();
  state.session = null;
  await saved.catch(() => null); // a session that has ended was saved after its last edit
  await api.close(session).catch(() => null);
}

export async function step(change) {
  const { walk } = state;
  const index = walk.index + change;
  if (index < 0 || index >= walk.items.length) return;
  const left = leave();
  walk.index = index;
  showImage();
  await left;
  if (walk === state.walk && walk.index === index) await openImage(index);
}

function showImage() {
  const item = state.walk.current;
  $("start").hidden = Boolean(item);
  $("toolbar").hidden = $("zoom").hidden = $("view").hidden = $("downloads").hidden = !item;
  $("walk").hidden = state.walk.items.length < 2;
  if (!item) return;
  state.walk.seen.add(item.key);
  $("walk-name").textContent = `${state.walk.index + 1} of ${state.walk.items.length} · ${item.name}`;
  $("walk-progress").max = state.walk.items.length;
  $("walk-progress").value = state.walk.progress;
  $("previous").disabled = state.walk.index === 0;
  $("next").disabled = state.walk.index === state.walk.items.length - 1;
  stage.draw();
}

export async function newImage() {
  await leave();
  state.opening += 1;
  state.walk = new Walk();
  clear();
  showImage();
  say("");
}

export async function exportAll() {
  const { walk } = state;
  await save();
  const first = walk.index, failed = [];
  for (let index = 0; index < walk.items.length; index++) {
    const saved = await savedEdits.load(walk.items[index].key);
    if (saved && (saved.edited || saved.words === wordsKey())) continue;
    await leave();
    await openImage(index);
    if (state.walk !== walk || walk.index !== index) return;
    if (!state.map) failed.push(walk.items[index].name);
  }
  const loaded = await Promise.all(walk.items.map((item) => savedEdits.load(item.key)));
  const saved = loaded.filter(Boolean);
  download(await exportZip(saved), "frozenseg.zip");
  say(`${saved.length} image${saved.length === 1 ? " was" : "s were"} exported.`);
  if (failed.length) $("error").textContent = `${failed.length} images could not be segmented: ${failed.slice(0, 5).join(", ")}.`;
  if (walk.index !== first) {
    await leave();
    await openImage(first);
  }
}
