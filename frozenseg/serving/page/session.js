// The session of the image on the server, and the copy of its segments in this browser.

import { api } from "./api.js";
import { busy, hiddenList, radio, savedEdits, stage, state, words } from "./page_state.js";
import { forgetNote, noteUnsaved, unsavedNote } from "./unsaved.js";

const SAVING_MS = 400;

export const wordsKey = () => JSON.stringify(predictionBody());

// Words and view for the server.
export function predictionBody() {
  const sam = radio("sam");
  return { ...words.body(), view: radio("view"), proposals: sam !== "off", compare: sam === "compare" };
}

export const openSession = (item) => (item.file ? api.openFile(item.file) : api.openSample(item.sample));

let reopened = { ended: null, session: null }; // the last session that had ended, and the promise of the one in its place

// Call the server about the session; one that has ended is opened again, once for all calls that meet its end.
export async function inSession(action) {
  const { session } = state;
  try {
    return await action(session);
  } catch (error) {
    if (error.status !== 404 || !state.walk.current) throw error;
    if (reopened.ended !== session) {
      if (session !== state.session) throw error;
      reopened = { ended: session, session: reopen(state.walk.current) };
    }
    const opened = await reopened.session;
    if (state.session === session) state.session = opened;
    if (state.session !== opened) {
      api.close(opened).catch(() => null); // another image was opened meanwhile
      throw error;
    }
    return action(opened);
  }
}

// Return a new session of an image with its saved segments.
async function reopen(item) {
  try {
    const { session } = await openSession(item);
    if (!words.isEmpty) await api.predict(session, predictionBody());
    const saved = await savedEdits.load(item.key);
    if (saved) await api.restore(session, saved.coco);
    return session;
  } catch (error) {
    reopened = { ended: null, session: null }; // the next call tries again
    throw error;
  }
}

let saving = 0;

export function saveSoon() {
  clearTimeout(saving);
  const item = state.walk.current;
  if (item && state.session) noteUnsaved(item.key, { session: state.session, ...clientState() });
  saving = setTimeout(saveNow, SAVING_MS);
}

const saveNow = () => busy("Saving", save);

document.addEventListener("visibilitychange", () => {
  if (document.hidden && saving) saveNow();
});

// What is shown of the segments, which the server does not know.
const clientState = () => ({ hiddenIds: [...state.hiddenIds], edited: state.edited, words: wordsKey() });

export async function save() {
  clearTimeout(saving);
  saving = 0;
  const item = state.walk.current;
  if (!item || !state.session || !state.map) return;
  const note = unsavedNote(item.key), hidden = hiddenList(), shown = clientState();
  const [coco, labels, overlay] = await inSession((session) =>
    Promise.all([api.coco(session, item.name, []), api.labels(session, hidden), stage.overlay()]),
  );
  await savedEdits.save(item.key, { name: item.name, coco, labels, overlay, hidden, ...shown });
  forgetNote(item.key, note);
}

// Return what was saved of an image, with edits of a page that was closed before it saved them.
export async function lastEdits(item) {
  const saved = await savedEdits.load(item.key);
  const note = unsavedNote(item.key);
  if (note === null) return saved;
  const { session, ...shown } = JSON.parse(note);
  const coco = await api.coco(session, item.name, []).catch(() => null); // the session may have ended
  return coco ? { ...saved, ...shown, coco } : saved;
}
