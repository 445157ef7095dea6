// The image with its segments on a canvas: drawing, zoom, and what the pointer and the keys do on it.
//
// Events: hover {segment}, pick {segment, add}, point {x, y, positive}, box {box}, stroke {points}; in pixels of the image.

import { paintLayers, paintMask } from "./segment_map.js";

const LABEL_PIXELS = 13, MAX_ZOOM = 16, DRAG_PIXELS = 4;

export class Stage extends EventTarget {
  constructor(canvas, tip) {
    super();
    this.canvas = canvas;
    this.tip = tip;
    this.bitmap = null;
    this.map = null;
    this.other = null; // segments without SAM proposals, left of the divider
    this.split = 0.5;
    this.look = { opacity: 0.55, outlines: true, labels: true };
    this.hidden = () => false;
    this.isolated = null;
    this.mask = null; // of a prompt
    this.marks = { points: [], box: null, stroke: [] };
    this.tool = "look";
    this.brush = 5; // radius, pixels of the screen
    this.cross = null; // of the keyboard
    this.zoom = { factor: 1, x: 0.5, y: 0.5 };
    new ResizeObserver(() => this.draw()).observe(canvas);
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave", "wheel", "keydown"]) {
      canvas.addEventListener(name, (event) => this[name](event), { passive: false });
    }
    canvas.addEventListener("contextmenu", (event) => this.tool !== "look" && event.preventDefault());
    canvas.addEventListener("blur", () => ((this.cross = null), this.draw()));
  }

  setImage(bitmap, width, height) {
    Object.assign(this, { bitmap, width, height, map: null, other: null, isolated: null, mask: null, cross: null });
    this.marks = { points: [], box: null, stroke: [] };
    this.zoom = { factor: 1, x: 0.5, y: 0.5 };
    this.draw();
  }

  show(map, other) {
    Object.assign(this, { map, other });
    if (this.isolated !== null && !map.byId.has(this.isolated)) this.isolated = null;
    this.repaint();
  }

  setMask(mask) {
    this.mask = mask;
    this.maskLayer = null;
    this.draw();
  }

  // Paint the layers again after a change of segments, hidden ones or the isolated one.
  repaint() {
    this.layers = this.otherLayers = null;
    this.draw();
  }

  // Scale and position of the image on the canvas, in its pixels.
  transform() {
    const ratio = this.canvas.width / Math.max(1, this.canvas.clientWidth);
    const scale = Math.min(this.canvas.width / this.width, this.canvas.height / this.height) * this.zoom.factor;
    const along = (extent, size, centre) => {
      const free = extent - size * scale;
      return free >= 0 ? free / 2 : Math.min(0, Math.max(free, extent / 2 - centre * size * scale));
    };
    const left = along(this.canvas.width, this.width, this.zoom.x);
    const top = along(this.canvas.height, this.height, this.zoom.y);
    return { scale, left, top, ratio };
  }

  draw() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!this.bitmap || !width || !height) return;
    const view = this.transform();
    context.setTransform(view.scale, 0, 0, view.scale, view.left, view.top);
    this.drawScene(context, view.scale, ratio);
    this.drawMarks(context, view.scale / ratio);
    this.dispatchEvent(new Event("draw"));
  }

  // Draw image, segments and labels in pixels of the image.
  drawScene(context, scale, ratio) {
    const thickness = Math.max(1, Math.round(ratio / scale));
    context.imageSmoothingEnabled = true;
    context.drawImage(this.bitmap, 0, 0, this.width, this.height);
    if (!this.map) return;
    if (!this.layers || this.thickness !== thickness) {
      this.thickness = thickness;
      this.layers = paintLayers(this.map, this.hidden, this.isolated, thickness);
      this.otherLayers = this.other && paintLayers(this.other, this.hidden, null, thickness);
    }
    if (this.otherLayers) {
      const border = this.width * this.split;
      this.clipped(context, border, this.width, () => this.drawLayers(context, this.layers, this.map, scale, ratio));
      this.clipped(context, 0, border, () => this.drawLayers(context, this.otherLayers, this.other, scale, ratio));
    } else {
      this.drawLayers(context, this.layers, this.map, scale, ratio);
    }
  }

  clipped(context, left, right, draw) {
    context.save();
    context.beginPath();
    context.rect(left, 0, right - left, this.height);
    context.clip();
    draw();
    context.restore();
  }

  drawLayers(context, layers, map, scale, ratio) {
    context.imageSmoothingEnabled = scale < 1;
    context.globalAlpha = this.look.opacity * (this.isolated === null ? 1 : 0.5);
    context.drawImage(layers.fill, 0, 0, this.width, this.height);
    context.globalAlpha = 1;
    if (layers.veil) context.drawImage(layers.veil, 0, 0, this.width, this.height);
    if (this.look.outlines) context.drawImage(layers.line, 0, 0, this.width, this.height);
    if (this.look.labels) this.drawLabels(context, map, (LABEL_PIXELS * ratio) / scale);
  }

  drawLabels(context, map, size) {
    context.font = `600 ${size}px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
    context.textBaseline = "middle";
    const taken = [];
    for (const segment of [...map.segments].sort((a, b) => b.area - a.area)) {
      if (this.hidden(segment) || (this.isolated !== null && segment.id !== this.isolated)) continue;
      const width = context.measureText(segment.name).width + size * 1.7, height = size * 1.6;
      const anchor = map.anchors.get(segment.id);
      const left = Math.min(Math.max(anchor.x - width / 2, 0), this.width - width);
      const top = Math.min(Math.max(anchor.y - height / 2, 0), this.height - height);
      if (taken.some((box) => left < box[2] && left + width > box[0] && top < box[3] && top + height > box[1])) continue;
      taken.push([left, top, left + width, top + height]);
      context.fillStyle = "rgb(16 21 26 / 0.82)";
      context.beginPath();
      context.roundRect(left, top, width, height, height / 2);
      context.fill();
      context.fillStyle = `rgb(${segment.color.join(" ")})`;
      context.beginPath();
      context.arc(left + height / 2, top + height / 2, size * 0.33, 0, 7);
      context.fill();
      context.fillStyle = "#fff";
      context.fillText(segment.name, left + size * 1.3, top + height / 2);
    }
  }

  drawMarks(context, scale) {
    if (this.mask) {
      this.maskLayer ||= paintMask(this.mask, this.width, this.height, this.thickness || 1);
      context.imageSmoothingEnabled = false;
      context.drawImage(this.maskLayer, 0, 0, this.width, this.height);
    }
    const { points, box, stroke } = this.marks;
    context.lineWidth = 2 / scale;
    if (stroke.length) this.drawStroke(context, stroke, scale);
    if (box) {
      context.strokeStyle = "#ffd166";
      context.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
    }
    for (const [x, y, positive] of points) {
      context.fillStyle = positive ? "#1f9d55" : "#d64535";
      context.strokeStyle = "#fff";
      context.beginPath();
      context.arc(x, y, 6 / scale, 0, 7);
      context.fill();
      context.stroke();
    }
    if (this.cross) {
      const reach = 12 / scale;
      for (const [colour, width] of [["#10151a", 5], ["#fff", 2]]) {
        context.strokeStyle = colour;
        context.lineWidth = width / scale;
        context.beginPath();
        context.moveTo(this.cross.x - reach, this.cross.y);
        context.lineTo(this.cross.x + reach, this.cross.y);
        context.moveTo(this.cross.x, this.cross.y - reach);
        context.lineTo(this.cross.x, this.cross.y + reach);
        context.stroke();
      }
    }
  }

  drawStroke(context, stroke, scale) {
    context.strokeStyle = "rgb(255 209 102 / 0.75)";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = (2 * this.brush) / scale;
    context.beginPath();
    context.moveTo(...stroke[0]);
    for (const point of stroke) context.lineTo(...point);
    if (stroke.length === 1) context.lineTo(stroke[0][0] + 0.01, stroke[0][1]);
    context.stroke();
    context.lineWidth = 2 / scale;
  }

  // Return the image with what is shown over it, at its size, as a PNG.
  async overlay() {
    const canvas = new OffscreenCanvas(this.width, this.height);
    const thickness = this.thickness;
    this.drawScene(canvas.getContext("2d"), 1, Math.max(1, Math.max(this.width, this.height) / 800));
    if (this.thickness !== thickness) this.repaint();
    return canvas.convertToBlob({ type: "image/png" });
  }

  // Radius of the brush in pixels of the image.
  get brushRadius() {
    const view = this.transform();
    return Math.max(0.5, (this.brush * view.ratio) / view.scale);
  }

  position(event) {
    const view = this.transform();
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) * view.ratio - view.left) / view.scale,
      y: ((event.clientY - box.top) * view.ratio - view.top) / view.scale,
    };
  }

  // Return the pixel of the page at which a point of the image is drawn.
  onPage(x, y) {
    const view = this.transform();
    const box = this.canvas.getBoundingClientRect();
    return { x: box.left + (x * view.scale + view.left) / view.ratio, y: box.top + (y * view.scale + view.top) / view.ratio };
  }

  segmentAt({ x, y }) {
    const map = this.other && x < this.width * this.split ? this.other : this.map;
    const segment = map && map.at(x, y);
    return segment && !this.hidden(segment) ? segment : null;
  }

  inside({ x, y }) {
    return this.bitmap && x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  hover(position, page) {
    const segment = this.segmentAt(position);
    this.emit("hover", { segment });
    this.tip.hidden = !segment;
    if (!segment) return;
    this.tip.textContent = segment.score === null ? segment.name : `${segment.name} · ${segment.score.toFixed(2)}`;
    const box = this.canvas.getBoundingClientRect();
    const width = this.tip.offsetWidth;
    this.tip.style.left = `${Math.min(Math.max(page.x - box.left + 14, 4), box.width - width - 4)}px`;
    this.tip.style.top = `${Math.min(Math.max(page.y - box.top + 14, 4), box.height - 36)}px`;
  }

  pointerdown(event) {
    if (!this.bitmap || (event.button !== 0 && event.button !== 2)) return;
    this.canvas.setPointerCapture(event.pointerId);
    const position = this.position(event);
    this.drag = { start: position, page: [event.clientX, event.clientY], zoom: { ...this.zoom }, moved: false };
    if (this.tool === "brush" && this.inside(position)) {
      this.marks.stroke = [[position.x, position.y]];
      this.draw();
    }
  }

  pointermove(event) {
    if (!this.bitmap) return;
    const position = this.position(event);
    if (!this.drag) return this.hover(position, { x: event.clientX, y: event.clientY });
    const [dx, dy] = [event.clientX - this.drag.page[0], event.clientY - this.drag.page[1]];
    this.drag.moved ||= Math.hypot(dx, dy) > DRAG_PIXELS;
    this.tip.hidden = true;
    if (!this.drag.moved) return undefined;
    if (this.tool === "box") this.marks.box = boxOf(this.drag.start, this.clamped(position));
    if (this.tool === "brush" && this.marks.stroke.length) this.marks.stroke.push(Object.values(this.clamped(position)));
    if (this.tool === "look" && this.zoom.factor > 1) {
      const view = this.transform();
      this.zoom.x = this.drag.zoom.x - (dx * view.ratio) / view.scale / this.width;
      this.zoom.y = this.drag.zoom.y - (dy * view.ratio) / view.scale / this.height;
    }
    return this.draw();
  }

  pointerup(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    const position = this.position(event);
    if (this.tool === "box" && this.marks.box && drag.moved) this.emit("box", { box: this.marks.box });
    else if (this.tool === "brush" && this.marks.stroke.length) this.emit("stroke", { points: this.marks.stroke });
    else if (!drag.moved && this.inside(position)) this.click(position, event.shiftKey, event.button === 2 || event.altKey);
  }

  pointercancel() {
    this.drag = null;
  }

  pointerleave() {
    if (!this.drag) this.tip.hidden = true;
  }

  click(position, add, isOpposite) {
    if (this.tool === "look") this.emit("pick", { segment: this.segmentAt(position), add });
    if (this.tool === "point" || this.tool === "negative") {
      this.emit("point", { ...position, positive: (this.tool === "point") !== isOpposite });
    }
  }

  clamped({ x, y }) {
    return { x: Math.min(Math.max(x, 0), this.width), y: Math.min(Math.max(y, 0), this.height) };
  }

  wheel(event) {
    if (!this.bitmap || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * 0.003), this.position(event));
  }

  // Zoom around a point of the image, which stays where it is.
  zoomBy(change, around = { x: this.zoom.x * this.width, y: this.zoom.y * this.height }) {
    const factor = Math.min(Math.max(this.zoom.factor * change, 1), MAX_ZOOM);
    const share = 1 - this.zoom.factor / factor;
    this.zoom.x += (around.x / this.width - this.zoom.x) * share;
    this.zoom.y += (around.y / this.height - this.zoom.y) * share;
    this.zoom.factor = factor;
    this.draw();
  }

  keydown(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!this.bitmap || event.ctrlKey || event.metaKey || event.altKey) return;
    if (step) {
      event.preventDefault();
      const pixels = (Math.max(this.width, this.height) / 100) * (event.shiftKey ? 8 : 1);
      const { x, y } = this.cross || { x: this.width / 2, y: this.height / 2 };
      const moved = this.clamped({ x: x + step[0] * pixels, y: y + step[1] * pixels });
      this.cross = { x: Math.min(moved.x, this.width - 1), y: Math.min(moved.y, this.height - 1) };
      this.draw();
      this.hover(this.cross, this.onPage(this.cross.x, this.cross.y));
    } else if (event.key === " " && this.cross) {
      event.preventDefault();
      this.clickAtCross(event.shiftKey);
    }
  }

  clickAtCross(add) {
    const { x, y } = this.cross;
    if (this.tool === "brush") {
      this.marks.stroke = [[x, y]];
      this.emit("stroke", { points: this.marks.stroke });
    } else if (this.tool === "box") {
      const corner = this.corner;
      this.corner = corner ? null : { x, y };
      if (corner && corner.x !== x && corner.y !== y) this.emit("box", { box: (this.marks.box = boxOf(corner, { x, y })) });
    } else {
      this.click({ x, y }, add, false);
    }
  }
}

function boxOf(first, second) {
  return [
    Math.min(first.x, second.x), Math.min(first.y, second.y), Math.max(first.x, second.x), Math.max(first.y, second.y),
  ];
}
