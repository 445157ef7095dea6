// The session of the image on the server, and the copy of its segments in this browser.

import { api } from "./api.js";
import { busy, hiddenList, radio, savedEdits, stage, state, words } from "./page_state.js";

const SAVING_MS = 400;

export const wordsKey = () => JSON.stringify(predictionBody());

// Words and view for the server.
export function predictionBody() {
  const sam = radio("sam");
  return { ...words.body(), view: radio("view"), proposals: sam !== "off", compare: sam === "compare" };
}

export const openSession = (item) => (item.file ? api.openFile(item.file) : api.openSample(item.sample));

// Call the server about the session; one that has ended is opened again with the saved segments.
export async function inSession(action) {
  const { session } = state;
  try {
    return await action(session);
  } catch (error) {
    if (error.status !== 404 || session !== state.session || !state.walk.current) throw error;
    const item = state.walk.current;
    state.session = (await openSession(item)).session;
    if (!words.isEmpty) await api.predict(state.session, predictionBody());
    const saved = await savedEdits.load(item.key);
    if (saved) await api.restore(state.session, saved.coco);
    return action(state.session);
  }
}

let saving = 0;

export function saveSoon() {
  clearTimeout(saving);
  saving = setTimeout(() => busy("Saving", save), SAVING_MS);
}

export async function save() {
  clearTimeout(saving);
  const item = state.walk.current;
  if (!item || !state.session || !state.map) return;
  const hidden = hiddenList(), hiddenIds = [...state.hiddenIds];
  const [coco, labels, overlay] = await inSession((session) =>
    Promise.all([api.coco(session, item.name, []), api.labels(session, hidden), stage.overlay()]),
  );
  await savedEdits.save(item.key, { name: item.name, coco, labels, overlay, hidden, hiddenIds, edited: state.edited, words: wordsKey() });
}
