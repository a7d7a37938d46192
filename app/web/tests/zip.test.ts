/** The zip writer, checked with Python's zipfile. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 as nodeCrc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { crc32, zipBytes, zipOf } from "../src/library/zip";

const ENTRIES = [
  { path: "Rhodes/C3.wav", file: new Blob(["one"]) },
  { path: "Flöte/höher/ü 1.wav", file: new Blob([new Uint8Array(70_000).fill(7)]) },
  { path: "empty.wav", file: new Blob([]) },
];

const READ = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as zipped:
    assert zipped.testzip() is None
    print(json.dumps([[item.filename, item.file_size, item.compress_type] for item in zipped.infolist()]))
`;

describe("crc32", () => {
  it("equals zlib's, at once and in parts", () => {
    const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i * i) % 251);
    expect(crc32(bytes)).toBe(nodeCrc32(bytes));
    expect(crc32(bytes.subarray(1234), crc32(bytes.subarray(0, 1234)))).toBe(nodeCrc32(bytes));
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });
});

describe("zip", () => {
  it("has the predicted size, and reports progress up to 1", async () => {
    const shares: number[] = [];
    const zip = await zipOf(ENTRIES, (share) => shares.push(share));
    expect(zip.size).toBe(zipBytes(ENTRIES.map(({ path, file }) => ({ path, size: file.size }))));
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual([...shares].sort((one, other) => one - other));
  });

  it("is deterministic", async () => {
    const [one, other] = await Promise.all([zipOf(ENTRIES), zipOf(ENTRIES)]);
    expect(Buffer.compare(await one.bytes(), await other.bytes())).toBe(0);
  });

  it("is readable by Python's zipfile: names, sizes, checksums", async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "zip-"));
    try {
      const path = join(folder, "written.zip");
      writeFileSync(path, await (await zipOf(ENTRIES)).bytes());
      let listing: string;
      try {
        listing = execFileSync("python3", ["-c", READ, path], { encoding: "utf8" });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return context.skip();
        throw error;
      }
      expect(JSON.parse(listing)).toEqual(ENTRIES.map(({ path: name, file }) => [name, file.size, 0]));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("stops when cancelled", async () => {
    await expect(zipOf(ENTRIES, undefined, AbortSignal.abort())).rejects.toThrow(/abort/i);
  });

  it("rejects more files than a zip can hold", async () => {
    const file = new Blob([]);
    const many = Array.from({ length: 70_000 }, (_, i) => ({ path: `${i}`, file }));
    await expect(zipOf(many)).rejects.toThrow(RangeError);
  });
});
