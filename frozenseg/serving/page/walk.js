// The chosen images, one after the other: what was saved of each, in this browser, and the export of all.

import { PageError } from "./api.js";
import { forgetNotes } from "./unsaved.js";
import { zip } from "./zip.js";

const DATABASE = "frozenseg", STORE = "images";

// Saved edits by the key of an image, in IndexedDB; without it, or without room in it, they live as long as the page.
export class SavedEdits {
  constructor() {
    this.memory = new Map();
    this.database = new Promise((resolve) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(null);
    });
  }

  async run(mode, action) {
    const database = await this.database;
    if (!database) return undefined;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const fail = ({ name }) => reject(new PageError(0, `The browser cannot store the edits (${name}): export them, and free its storage.`));
      transaction.onabort = () => fail(transaction.error);
      try {
        const request = action(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(request.result);
      } catch (error) {
        fail(error);
      }
    });
  }

  async load(key) {
    return this.memory.get(key) || (await this.run("readonly", (store) => store.get(key))) || null;
  }

  async save(key, saved) {
    this.memory.set(key, saved);
    await this.run("readwrite", (store) => store.put(saved, key));
    if ((await this.database) && this.memory.get(key) === saved) this.memory.delete(key); // its images are on the disk
  }

  async forget() {
    this.memory.clear();
    forgetNotes();
    await this.run("readwrite", (store) => store.clear());
  }
}

export class Walk {
  constructor() {
    this.items = []; // {name, key, file} or {name, key, sample}
    this.index = -1;
    this.seen = new Set(); // keys
  }

  static ofFiles(files, pathOf = (file) => file.webkitRelativePath || file.name) {
    const walk = new Walk();
    const images = [...files].filter((file) => file.type.startsWith("image/") || /\.(tiff?|bmp)$/i.test(file.name));
    images.sort((a, b) => pathOf(a).localeCompare(pathOf(b), "en", { numeric: true }));
    walk.items = images.map((file) => ({
      name: pathOf(file), key: `${pathOf(file)}|${file.size}|${file.lastModified}`, file,
    }));
    return walk;
  }

  static ofSample(sample) {
    const walk = new Walk();
    walk.items = [{ name: `toyworld_${sample}.png`, key: `sample ${sample}`, sample }];
    return walk;
  }

  get current() {
    return this.items[this.index] || null;
  }

  get progress() {
    return this.seen.size;
  }
}

// Return one COCO file of several, each of a single image; hidden segments are left out.
export function mergeCoco(saved) {
  const merged = { images: [], annotations: [], categories: [] };
  const categories = new Map();
  for (const { coco, hidden } of saved) {
    const image = { ...coco.images[0], id: merged.images.length + 1 };
    merged.images.push(image);
    const numbers = new Map();
    for (const category of coco.categories) {
      if (!categories.has(category.name)) {
        const added = { ...category, id: categories.size + 1 };
        categories.set(category.name, added);
        merged.categories.push(added);
      }
      numbers.set(category.id, categories.get(category.name).id);
    }
    const left = new Set(hidden);
    for (const annotation of coco.annotations) {
      if (left.has(annotation.id)) continue;
      merged.annotations.push({
        ...annotation, id: merged.annotations.length + 1, image_id: image.id, category_id: numbers.get(annotation.category_id),
      });
    }
  }
  return merged;
}

// Return a ZIP file of the saved images: coco.json, and a label and an overlay PNG for each.
export async function exportZip(saved) {
  const files = [{ name: "coco.json", blob: new Blob([JSON.stringify(mergeCoco(saved), null, 1)]) }];
  const used = new Set();
  for (const { name, coco, labels, overlay } of saved) {
    let stem = name.replace(/\.[^./]*$/, "").replace(/[^\p{L}\p{N}/ ._-]/gu, "_").replace(/(^|\/)\.+/g, "$1_") || "image";
    while (used.has(stem.toLowerCase())) stem += "_2";
    used.add(stem.toLowerCase());
    files.push({ name: `labels/${stem}.png`, blob: labels }, { name: `overlays/${stem}.png`, blob: overlay });
    files.push({ name: `classes/${stem}.json`, blob: new Blob([JSON.stringify(coco.categories, null, 1)]) });
  }
  return zip(files);
}
