"use strict";
const one = (selector) => document.querySelector(selector);
const cards = [...document.querySelectorAll("figure")];
const filter = one("#filter"), plain = one("#plain"), large = one("#large"), count = one("#count");
const isReview = "review" in document.body.dataset;
const key = "frozenseg-review:" + location.pathname + ":" + document.body.dataset.key;  // all pages of a disk share the storage
let marks = new Set();
try { marks = new Set(JSON.parse(localStorage.getItem(key) || "[]")); } catch { /* without storage, marks last as long as the page */ }

const shown = () => cards.filter((card) => !card.hidden);
const source = (card) => { const image = card.querySelector("img"); return plain.checked ? image.dataset.plain : image.dataset.drawn; };

function applyFilter() {
  const text = filter.value.trim().toLowerCase();
  for (const card of cards) card.hidden = !card.textContent.toLowerCase().includes(text);
  count.textContent = `${shown().length} of ${cards.length} images`;
}

function showMarks() {
  for (const card of cards) card.classList.toggle("marked", marks.has(card.dataset.name));
  if (isReview) one("#marked").textContent = marks.size;
}

function showKind() {
  for (const card of cards) { const image = card.querySelector("img"); if (image.getAttribute("src") !== source(card)) image.src = source(card); }
  if (large.open) enlarge(current());
}

function current() { return document.activeElement?.closest?.("figure") || large.card || null; }

function enlarge(card) {
  if (!card) return;
  large.card = card;
  large.querySelector("img").src = source(card);
  large.querySelector("img").alt = card.dataset.name;
  large.querySelector("p").textContent = card.querySelector("figcaption").textContent.replace(/\s+/g, " ").trim();
  if (!large.open) large.showModal();
}

function columns() {
  const list = shown();
  return list.filter((card) => card.offsetTop === list[0].offsetTop).length || 1;
}

function move(step) {
  const list = shown();
  if (!list.length) return;
  const card = large.open ? large.card : current();
  const next = card ? Math.min(list.length - 1, Math.max(0, list.indexOf(card) + step)) : 0;
  if (large.open) { enlarge(list[next]); } else { list[next].focus(); list[next].scrollIntoView({ block: "nearest" }); }
}

function mark(card) {
  if (!card) return;
  const name = card.dataset.name;
  if (!marks.delete(name)) marks.add(name);
  try { localStorage.setItem(key, JSON.stringify([...marks])); } catch { /* see above */ }
  showMarks();
}

document.addEventListener("keydown", (event) => {
  if (event.target === filter) { if (event.key === "Escape") { filter.value = ""; applyFilter(); filter.blur(); } return; }
  if (event.target.matches("input, button") || event.ctrlKey || event.metaKey || event.altKey) return;
  const card = large.open ? large.card : current();
  const actions = {
    ArrowRight: () => move(1), ArrowLeft: () => move(-1),
    ArrowDown: () => move(large.open ? 1 : columns()), ArrowUp: () => move(large.open ? -1 : -columns()),
    Enter: () => (large.open ? large.close() : enlarge(card)),
    " ": () => { plain.checked = !plain.checked; showKind(); },
    "/": () => filter.focus(),
    x: () => isReview && mark(card),
  };
  const action = actions[event.key];
  if (action) { event.preventDefault(); action(); }
});
large.addEventListener("close", () => large.card?.focus());
large.addEventListener("click", () => large.close());
for (const card of cards) card.addEventListener("click", () => enlarge(card));
filter.addEventListener("input", applyFilter);
plain.addEventListener("change", showKind);
one("#size").addEventListener("input", (event) => document.documentElement.style.setProperty("--width", event.target.value + "px"));
one("#save")?.addEventListener("click", () => {
  const names = cards.map((card) => card.dataset.name).filter((name) => marks.has(name));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([names.join("\n") + "\n"], { type: "text/plain" }));
  link.download = "marked_images.txt";
  link.click();
  URL.revokeObjectURL(link.href);
});
applyFilter();
showMarks();
