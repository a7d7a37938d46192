/** Sizes and counts as people read them. */
import { describe, expect, it } from "vitest";
import { formatBytes, formatCount } from "../src/ui/format";

describe("sizes", () => {
  it.each([
    [999, "999 bytes"],
    [1500, "1.5 kB"],
    [20_000, "20 kB"],
    [2_000_000, "2.0 MB"],
    [104_857_600, "105 MB"],
    [2_147_483_648, "2.1 GB"],
  ])("%s are %s", (bytes, words) => {
    expect(formatBytes(bytes)).toBe(words);
  });
});

describe("counts", () => {
  it.each([
    [0, "0 instruments"],
    [1, "1 instrument"],
    [1200, "1,200 instruments"],
  ])("%s: %s", (count, words) => {
    expect(formatCount(count, "instrument")).toBe(words);
  });
});
