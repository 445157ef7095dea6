// ZIP file of blobs, stored without compression: PNG is compressed already.

import { PageError } from "./api.js";

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const MAX_FILES = 0xffff, MAX_BYTES = 0xffffffff; // of ZIP without its extension of 64 bits
const UTF8_NAMES = 0x0800, VERSION = 20, DOS_DATE = (1 << 5) | 1; // 1 January 1980: the same bytes at every time

// files: [{name, blob}]; names with / are in folders. The bytes of one file at a time are in memory.
export async function zip(files) {
  const total = files.reduce((sum, { blob }) => sum + blob.size, 0);
  if (files.length > MAX_FILES || total > MAX_BYTES * 0.9) {
    throw new PageError(0, `${files.length} files with ${Math.ceil(total / 2 ** 20)} MiB do not fit into a ZIP file: export fewer images at a time.`);
  }
  const parts = [], directory = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const path = new TextEncoder().encode(name);
    const common = [VERSION, UTF8_NAMES, 0, 0, DOS_DATE]; // needed version, flags, stored, time, date
    const sizes = [crc32(bytes), bytes.length, bytes.length];
    const header = record([[0x04034b50, 4], ...common.map((value) => [value, 2]), ...sizes.map((value) => [value, 4]), [path.length, 2], [0, 2]]);
    parts.push(header, path, blob);
    directory.push(
      record([
        [0x02014b50, 4], [VERSION, 2], ...common.map((value) => [value, 2]), ...sizes.map((value) => [value, 4]),
        [path.length, 2], [0, 2], [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4],
      ]),
      path,
    );
    offset += header.length + path.length + bytes.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = record([[0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [length, 4], [offset, 4], [0, 2]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

function record(fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [, size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let position = 0;
  for (const [value, size] of fields) {
    if (size === 2) view.setUint16(position, value, true);
    else view.setUint32(position, value, true);
    position += size;
  }
  return bytes;
}
