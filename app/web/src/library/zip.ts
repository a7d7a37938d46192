/** Writes uncompressed zips (audio hardly shrinks), so that a folder can be sent as one file.
 * Follows PKWARE's APPNOTE 6.3.3, sections 4.3.7, 4.3.12 and 4.3.16; files stay on disk until they are sent. */

export interface ZipEntry {
  path: string; // with forward slashes
  file: Blob;
}

const CHUNK_BYTES = 4 << 20;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const VERSION = 20; // 2.0: folders
const UTF8_NAMES = 0x0800;
const NEW_YEAR_1980 = 0x0021; // as an MS-DOS date: equal files give equal zips
const MOST_ENTRIES = 0xffff;
const MOST_BYTES = 0xffffffff; // a larger zip needs the 64-bit extension

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/** CRC-32 (ISO 3309) of `bytes`, continued from the checksum `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let rest = ~before;
  for (const byte of bytes) rest = (TABLE[(rest ^ byte) & 0xff] ?? 0) ^ (rest >>> 8);
  return ~rest >>> 0;
}

/** The size in bytes of a zip with these names and file sizes. */
export function zipBytes(files: readonly { path: string; size: number }[]): number {
  const encoder = new TextEncoder();
  return files.reduce(
    (sum, { path, size }) => sum + size + LOCAL_BYTES + CENTRAL_BYTES + 2 * encoder.encode(path).length,
    END_BYTES,
  );
}

/** Zip `entries`. `onProgress` receives the fraction read, 0 to 1.
 * Rejects if a file cannot be read, with an AbortError if cancelled, and with a RangeError beyond a zip's limits. */
export async function zipOf(
  entries: readonly ZipEntry[],
  onProgress: (share: number) => void = () => undefined,
  signal?: AbortSignal,
): Promise<Blob> {
  const total = entries.reduce((sum, { file }) => sum + file.size, 0);
  if (entries.length > MOST_ENTRIES || total > MOST_BYTES) throw new RangeError("too large for one zip");
  const encoder = new TextEncoder();
  const local: BlobPart[] = [];
  const central: BlobPart[] = [];
  let offset = 0;
  let centralBytes = 0;
  let read = 0;
  for (const { path, file } of entries) {
    const name = encoder.encode(path);
    const sum = await sumOf(file, signal, (bytes) => onProgress((read + bytes) / Math.max(1, total)));
    read += file.size;
    local.push(localHeader(name.length, sum, file.size), name, file);
    central.push(centralHeader(name.length, sum, file.size, offset), name);
    offset += LOCAL_BYTES + name.length + file.size;
    centralBytes += CENTRAL_BYTES + name.length;
  }
  const end = endRecord(entries.length, centralBytes, offset);
  return new Blob([...local, ...central, end], { type: "application/zip" });
}

async function sumOf(
  file: Blob,
  signal: AbortSignal | undefined,
  onRead: (bytes: number) => void,
): Promise<number> {
  let sum = 0;
  for (let from = 0; from < file.size; from += CHUNK_BYTES) {
    signal?.throwIfAborted();
    const chunk = file.slice(from, from + CHUNK_BYTES);
    sum = crc32(new Uint8Array(await chunk.arrayBuffer()), sum);
    onRead(from + chunk.size);
  }
  return sum;
}

/** Write little-endian fields of 2 or 4 bytes each. */
function record(fields: readonly [value: number, bytes: 2 | 4][]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [, bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [value, bytes] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return view.buffer;
}

/** The fields that local and central headers share: version to extra field length. */
function common(nameBytes: number, sum: number, size: number): [number, 2 | 4][] {
  return [
    ...([VERSION, UTF8_NAMES, 0, 0, NEW_YEAR_1980].map((value) => [value, 2]) as [number, 2][]),
    ...([sum, size, size].map((value) => [value, 4]) as [number, 4][]),
    [nameBytes, 2],
    [0, 2],
  ];
}

function localHeader(nameBytes: number, sum: number, size: number): ArrayBuffer {
  return record([[0x04034b50, 4], ...common(nameBytes, sum, size)]);
}

function centralHeader(nameBytes: number, sum: number, size: number, offset: number): ArrayBuffer {
  const comment: [number, 2][] = [0, 0, 0].map((value) => [value, 2]); // comment length, disk number, internal attributes
  return record([
    [0x02014b50, 4],
    [VERSION, 2],
    ...common(nameBytes, sum, size),
    ...comment,
    [0, 4],
    [offset, 4],
  ]);
}

function endRecord(count: number, centralBytes: number, centralOffset: number): ArrayBuffer {
  return record([
    [0x06054b50, 4],
    [0, 2],
    [0, 2],
    [count, 2],
    [count, 2],
    [centralBytes, 4],
    [centralOffset, 4],
    [0, 2],
  ]);
}
