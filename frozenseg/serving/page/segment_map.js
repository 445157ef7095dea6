// Segments of an image: the id of every pixel, and what is drawn of them.

export class SegmentMap {
  // answer: width, height, runs (value, length, value, length, …, row by row) and segments of the server.
  constructor(answer) {
    this.width = answer.width;
    this.height = answer.height;
    this.segments = answer.segments;
    this.byId = new Map(answer.segments.map((segment) => [segment.id, segment]));
    this.ids = decodeRuns(answer.runs, answer.width * answer.height);
    this.anchors = anchorsOf(this.ids, this.width, this.segments);
  }

  at(x, y) {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return null;
    return this.byId.get(this.ids[Math.floor(y) * this.width + Math.floor(x)]) || null;
  }
}

export function decodeRuns(runs, pixels) {
  const ids = new Uint16Array(pixels);
  let position = 0;
  for (let index = 0; index < runs.length; index += 2) {
    if (runs[index]) ids.fill(runs[index], position, position + runs[index + 1]);
    position += runs[index + 1];
  }
  return ids;
}

// Return for each id a point for its label: the middle of its longest run in the middle half of its box.
function anchorsOf(ids, width, segments) {
  const anchors = new Map();
  for (const { id, bbox: [left, top, boxWidth, boxHeight] } of segments) {
    let best = [-1, left, top];
    const margin = Math.floor(boxHeight / 4);
    const step = Math.max(1, Math.floor(boxHeight / 64));
    for (let y = top + margin; y < top + boxHeight - margin; y += step) {
      let start = -1;
      for (let x = left; x <= left + boxWidth; x++) {
        const inside = x < left + boxWidth && ids[y * width + x] === id;
        if (inside && start < 0) start = x;
        if (!inside && start >= 0) {
          const score = x - start - Math.abs(y - top - boxHeight / 2) * 0.5;
          if (score > best[0]) best = [score, (start + x) / 2, y + 0.5];
          start = -1;
        }
      }
    }
    anchors.set(id, { x: best[1], y: best[2] });
  }
  return anchors;
}

const abgr = (red, green, blue, alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

const MAX_PAINTED = 4e6; // pixels of a layer; larger images are painted at a part of their resolution

// Return every how many pixels of an image a layer has one.
const strideOf = (width, height) => Math.max(1, Math.ceil(Math.sqrt((width * height) / MAX_PAINTED)));

// Return every stride-th pixel of a map, and the size of that.
function sampled(pixels, width, height) {
  const stride = strideOf(width, height);
  if (stride === 1) return { ids: pixels, width, height, stride };
  const columns = Math.ceil(width / stride), rows = Math.ceil(height / stride);
  const ids = new pixels.constructor(columns * rows);
  for (let y = 0, index = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, index++) ids[index] = pixels[y * stride * width + x * stride];
  }
  return { ids, width: columns, height: rows, stride };
}

// Return canvases of the colours, the outlines and the veil over all other segments; they cover the image.
export function paintLayers(map, hidden, isolated, outline) {
  const { ids, width, height, stride } = sampled(map.ids, map.width, map.height);
  const thickness = Math.max(1, Math.round(outline / stride));
  const size = Math.max(0, ...map.segments.map((segment) => segment.id)) + 1;
  const fills = new Uint32Array(size), lines = new Uint32Array(size), shown = new Uint8Array(size);
  for (const segment of map.segments) {
    if (hidden(segment)) continue;
    const [red, green, blue] = segment.color;
    shown[segment.id] = 1;
    fills[segment.id] = abgr(red, green, blue, 255);
    lines[segment.id] = abgr(...[red, green, blue].map((value) => Math.round(value * 0.6 + 255 * 0.4)), 255);
  }
  const veilColour = abgr(8, 11, 14, 190);
  const [fill, line] = [0, 1].map(() => new ImageData(width, height));
  const veil = isolated === null ? null : new ImageData(width, height);
  const [fillPixels, linePixels, veilPixels] = [fill, line, veil].map((each) => each && new Uint32Array(each.data.buffer));
  for (let y = 0, index = 0; y < height; y++) {
    for (let x = 0; x < width; x++, index++) {
      const id = ids[index];
      const outside = isolated !== null && id !== isolated;
      if (outside) veilPixels[index] = veilColour;
      else if (shown[id]) fillPixels[index] = fills[id];
      const right = x + thickness < width ? ids[index + thickness] : id;
      const below = y + thickness < height ? ids[index + thickness * width] : id;
      if (right === id && below === id) continue;
      const other = shown[id] ? id : shown[right] ? right : below;
      if (shown[other] && (isolated === null || other === isolated || id === isolated)) linePixels[index] = lines[other];
    }
  }
  return { fill: canvasOf(fill), line: canvasOf(line), veil: veil && canvasOf(veil) };
}

// Return a canvas of a mask in one colour, with a white outline; it covers the image.
export function paintMask(pixelsOfMask, widthOfImage, heightOfImage, outline) {
  const { ids: mask, width, height, stride } = sampled(pixelsOfMask, widthOfImage, heightOfImage);
  const thickness = Math.max(1, Math.round(outline / stride));
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const inside = abgr(255, 209, 102, 120), edge = abgr(255, 255, 255, 255);
  for (let y = 0, index = 0; y < height; y++) {
    for (let x = 0; x < width; x++, index++) {
      const right = x + thickness < width ? mask[index + thickness] : mask[index];
      const below = y + thickness < height ? mask[index + thickness * width] : mask[index];
      if (mask[index] !== right || mask[index] !== below) pixels[index] = edge;
      else if (mask[index]) pixels[index] = inside;
    }
  }
  return canvasOf(image);
}

function canvasOf(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
