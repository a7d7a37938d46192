/** Sizes and counts as people read them. */
import { describe, expect, it } from "vitest";
import { formatBytes, formatCount } from "../src/ui/format";

describe("sizes", () => {
  it.each([
    [999, "999 bytes"],
    [1536, "1.5 KiB"],
    [20_000, "19.5 KiB"],
    [104_857_600, "100 MiB"], // the default limit
    [110_000_000, "104.9 MiB"],
    [2_147_483_648, "2 GiB"],
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
