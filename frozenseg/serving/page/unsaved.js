// Edits that are not saved yet: noted at once with the session that has them, as a page that is closed saves nothing.

const PREFIX = "frozenseg unsaved ";

// Note the session that has the edits of an image, and what the server does not know of them.
export function noteUnsaved(key, note) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify({ ...note, at: performance.timeOrigin + performance.now() }));
  } catch {
    // without storage the edits are saved a moment later, or not at all
  }
}

// Return the note of an image as text, null for none.
export function unsavedNote(key) {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

// Delete a note that was read before, unless there is a later one.
export function forgetNote(key, text) {
  if (text !== null && unsavedNote(key) === text) localStorage.removeItem(PREFIX + key); // there is storage
}

export function forgetNotes() {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
  } catch {
    // without storage there are no notes
  }
}
