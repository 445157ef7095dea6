// Legend: classes by area with their segments; a click hides, a check mark selects. Events: hide {name, id}, select {id}.

export class Legend extends EventTarget {
  constructor(list, empty) {
    super();
    Object.assign(this, { list, empty });
  }

  render(map, isHidden, selection) {
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : null;
    const groups = new Map();
    for (const segment of map ? map.segments : []) {
      groups.set(segment.name, [...(groups.get(segment.name) || []), segment]);
    }
    const area = (segments) => segments.reduce((sum, segment) => sum + segment.area, 0);
    const sorted = [...groups.entries()].sort((a, b) => area(b[1]) - area(a[1]));
    const total = map ? map.width * map.height : 1;
    this.empty.hidden = sorted.length > 0;
    this.list.replaceChildren(
      ...sorted.map(([name, segments]) => this.group(name, segments, area(segments) / total, total, isHidden, selection)),
    );
    if (focused) this.list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  group(name, segments, share, total, isHidden, selection) {
    const item = document.createElement("li");
    const single = segments.length === 1 ? segments[0] : null;
    const note = single ? scoreText(single) : `${segments.length} ×`;
    item.append(
      this.entry({
        key: `class ${name}`, label: name, colour: segments[0].color, note, share,
        hidden: segments.every(isHidden), pinned: Boolean(single && single.kept),
        selected: segments.every((segment) => selection.has(segment.id)),
        hide: () => this.emit("hide", { name }),
        select: () => this.emit("select", { ids: segments.map((segment) => segment.id) }),
      }),
    );
    if (single) return item;
    const inner = document.createElement("ul");
    for (const segment of [...segments].sort((a, b) => b.area - a.area)) {
      const row = document.createElement("li");
      row.append(
        this.entry({
          key: `segment ${segment.id}`, label: `${name}, ${segment.area} pixels`, colour: segment.color,
          note: scoreText(segment), share: segment.area / total, hidden: isHidden(segment), pinned: segment.kept,
          selected: selection.has(segment.id), text: `#${segment.id}`,
          hide: () => this.emit("hide", { id: segment.id }),
          select: () => this.emit("select", { ids: [segment.id] }),
        }),
      );
      inner.append(row);
    }
    item.append(inner);
    return item;
  }

  entry({ key, label, text, colour, note, share, hidden, pinned, selected, hide, select }) {
    const row = Object.assign(document.createElement("div"), { className: `entry${selected ? " selected" : ""}` });
    const check = Object.assign(document.createElement("input"), { type: "checkbox", checked: selected });
    check.setAttribute("aria-label", `Select ${label}`);
    check.dataset.key = `select ${key}`;
    check.addEventListener("change", select);
    const toggle = Object.assign(document.createElement("button"), { type: "button", title: hidden ? "Show" : "Hide" });
    toggle.setAttribute("aria-pressed", String(hidden));
    toggle.setAttribute("aria-label", `Hide ${label}${pinned ? ", kept" : ""}`);
    toggle.dataset.key = key;
    toggle.addEventListener("click", hide);
    const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
    swatch.style.background = `rgb(${colour.join(" ")})`;
    const name = Object.assign(document.createElement("span"), { className: "name", textContent: text || label });
    const pin = Object.assign(document.createElement("span"), { className: "pin", textContent: pinned ? "✓" : "", title: "Kept: a new prediction does not replace it" });
    const numbers = Object.assign(document.createElement("span"), { className: "numbers" });
    numbers.textContent = `${note ? `${note} · ` : ""}${percent(share)}`;
    toggle.append(swatch, name, pin, numbers);
    row.append(check, toggle);
    return row;
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

const scoreText = (segment) => (segment.score === null ? "" : segment.score.toFixed(2));
const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
