// Words as chips: classes with synonyms, stuff marks, and vocabularies of benchmarks. Event: change.

const MARK = /^\s*(stuff|things?)\s*:\s*/i;
const MAX_EXPANDED = 200; // classes

export class WordList extends EventTarget {
  constructor({ chips, form, input, select, clear }, loadClasses) {
    super();
    Object.assign(this, { chips, input, loadClasses });
    this.items = []; // {names, stuff} or {benchmark, count}
    this.counts = new Map();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.addText(input.value);
      input.value = "";
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Backspace" && !input.value && this.items.length) this.remove(this.items.length - 1);
    });
    input.addEventListener("paste", (event) => {
      const text = event.clipboardData.getData("text");
      if (!/[\n;]/.test(text)) return;
      event.preventDefault();
      this.addText(text);
    });
    select.addEventListener("change", () => {
      if (select.value) this.addBenchmark(select.value);
      select.value = "";
    });
    clear.addEventListener("click", () => this.set([]));
  }

  offer(vocabularies, auto, select) {
    for (const { name, classes } of vocabularies) {
      this.counts.set(name, classes);
      select.add(new Option(`${name} (${classes} classes)`, name));
    }
    select.add(new Option("auto (names that the image has evidence of)", auto));
  }

  set(items) {
    this.items = items;
    this.changed();
  }

  addText(text) {
    const before = this.items.length;
    for (const part of text.split(/[;\n]/)) {
      const mark = part.match(MARK);
      const names = part.replace(MARK, "").split(",").map((name) => name.trim().replace(/\s+/g, " ")).filter(Boolean);
      if (!names.length || this.items.some((item) => item.names && item.names[0] === names[0])) continue;
      this.items.push({ names, stuff: Boolean(mark && mark[1].toLowerCase() === "stuff") });
    }
    if (this.items.length > before) this.changed();
  }

  addBenchmark(benchmark) {
    if (this.items.some((item) => item.benchmark === benchmark)) return;
    if (benchmark === "auto") this.items = [];
    else this.items = this.items.filter((item) => item.benchmark !== "auto");
    this.items.push({ benchmark, count: this.counts.get(benchmark) || 0 });
    this.changed();
  }

  remove(index) {
    this.items.splice(index, 1);
    this.changed();
    const buttons = this.chips.querySelectorAll(".chip-remove");
    (buttons[Math.min(index, buttons.length - 1)] || this.input).focus();
  }

  // Put a class into the input, to change it.
  edit(index) {
    const [item] = this.items.splice(index, 1);
    this.input.value = (item.stuff ? "stuff: " : "") + item.names.join(", ");
    this.changed();
    this.input.focus();
  }

  async expand(index) {
    const { benchmark } = this.items[index];
    const { classes } = await this.loadClasses(benchmark);
    const known = new Set(this.items.filter((item) => item.names).map((item) => item.names[0]));
    this.items.splice(index, 1, ...classes.filter((each) => !known.has(each.names[0])));
    this.changed();
  }

  body() {
    return {
      classes: this.items.filter((item) => item.names).map(({ names, stuff }) => ({ names, stuff })),
      benchmarks: this.items.filter((item) => item.benchmark).map((item) => item.benchmark),
    };
  }

  get isEmpty() {
    return !this.items.length;
  }

  isStuff(name) {
    return this.items.some((item) => item.stuff && item.names.includes(name));
  }

  changed() {
    this.render();
    this.dispatchEvent(new Event("change"));
  }

  render() {
    this.chips.replaceChildren(...this.items.map((item, index) => (item.names ? this.chip(item, index) : this.vocabularyChip(item, index))));
  }

  chip(item, index) {
    const chip = element("li", "chip");
    const name = button("chip-name", item.names[0], `Change ${item.names[0]}`, () => this.edit(index));
    if (item.names.length > 1) name.append(Object.assign(element("small", ""), { textContent: ` ${item.names.slice(1).join(", ")}` }));
    const kind = button("chip-kind", "stuff", `${item.names[0]} is stuff, not countable`, () => {
      item.stuff = !item.stuff;
      this.changed();
      this.chips.querySelectorAll(".chip")[index].querySelector(".chip-kind").focus();
    });
    kind.setAttribute("aria-pressed", String(item.stuff));
    chip.append(name, kind, button("chip-remove", "×", `Remove ${item.names[0]}`, () => this.remove(index)));
    return chip;
  }

  vocabularyChip(item, index) {
    const chip = element("li", "chip vocabulary");
    const title = item.count ? `${item.benchmark} · ${item.count} classes` : item.benchmark;
    const canExpand = item.count > 0 && item.count <= MAX_EXPANDED;
    const name = button("chip-name", title, canExpand ? `Show the classes of ${item.benchmark} one by one` : title, () => canExpand && this.expand(index));
    chip.append(name, button("chip-remove", "×", `Remove ${item.benchmark}`, () => this.remove(index)));
    return chip;
  }
}

function element(kind, className) {
  return Object.assign(document.createElement(kind), { className });
}

function button(className, text, label, action) {
  const made = Object.assign(element("button", className), { type: "button", textContent: text, title: label });
  made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
}
