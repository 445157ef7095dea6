// Words and settings in the fragment of the address, which browsers do not send to any server.

export function readLink(fragment) {
  const values = new URLSearchParams(fragment.replace(/^#/, ""));
  const items = [];
  for (const text of (values.get("words") || "").split(";").filter(Boolean)) {
    if (text.startsWith("@")) items.push({ benchmark: text.slice(1) });
    else {
      const stuff = text.startsWith("stuff:");
      const names = text.replace(/^stuff:/, "").split(",").map((name) => name.trim()).filter(Boolean);
      if (names.length) items.push({ names, stuff });
    }
  }
  const number = Number.parseInt(values.get("opacity") ?? "", 10);
  return {
    items,
    view: oneOf(values.get("view"), ["panoptic", "instance", "semantic"]),
    sam: oneOf(values.get("sam"), ["off", "on", "compare"]),
    opacity: Number.isInteger(number) && number >= 0 && number <= 100 ? number : null,
    outlines: values.has("outlines") ? values.get("outlines") === "1" : null,
    labels: values.has("labels") ? values.get("labels") === "1" : null,
  };
}

export function writeLink({ items, view, sam, opacity, outlines, labels }) {
  const words = items.map((item) => (item.benchmark ? `@${item.benchmark}` : (item.stuff ? "stuff:" : "") + item.names.join(",")));
  const values = new URLSearchParams({
    words: words.join(";"), view, sam, opacity: String(opacity), outlines: outlines ? "1" : "0", labels: labels ? "1" : "0",
  });
  return `#${values}`;
}

const oneOf = (value, known) => (known.includes(value) ? value : null);
