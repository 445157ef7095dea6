// Files of a drop, with those in dropped folders.

import { PageError } from "./api.js";

// Return the path of each dropped file, by file; reads the transfer before it waits, as browsers empty it then.
export async function droppedFiles(transfer) {
  const files = [...transfer.files];
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return new Map(files.map((file) => [file, file.name]));
  const paths = new Map();
  for (const entry of entries) await collect(entry, paths);
  return paths;
}

async function collect(entry, paths) {
  if (entry.isFile) {
    paths.set(await asked(entry, (...answer) => entry.file(...answer)), entry.fullPath.slice(1));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await asked(entry, (...answer) => reader.readEntries(...answer)); // at most 100 at a time
    if (!part.length) return;
    for (const each of part) await collect(each, paths);
  }
}

const asked = (entry, read) =>
  new Promise((resolve, reject) => {
    read(resolve, (error) => reject(new PageError(0, `${entry.fullPath} cannot be read (${error.name}): choose its images by the button.`)));
  });
