/** The wav writer: the bytes contain the header and the samples. */
import { describe, expect, it } from "vitest";
import { peaks } from "../src/audio/decode";
import { wavOf } from "../src/audio/wav";

describe("a wav", () => {
  it("has a correct header and samples", () => {
    const bytes = wavOf(Float32Array.from([0, 0.5, -0.5, 2, -2]), 44_100);
    const view = new DataView(bytes);
    const text = (at: number, length: number) => String.fromCharCode(...new Uint8Array(bytes, at, length));
    expect(text(0, 4) + text(8, 8)).toBe("RIFFWAVEfmt ");
    expect(view.getUint32(4, true)).toBe(bytes.byteLength - 8);
    expect(view.getUint32(24, true)).toBe(44_100);
    expect(view.getUint32(40, true)).toBe(10);
    const samples = [0, 1, 2, 3, 4].map((i) => view.getInt16(44 + 2 * i, true));
    expect(samples).toEqual([0, 16_384, -16_383, 32_767, -32_767]);
  });
});

describe("peaks", () => {
  it("are the maxima of equal segments", () => {
    expect([...peaks(Float32Array.from([0, -1, 0.5, 0.25]), 2)]).toEqual([1, 0.5]);
  });

  it("are finite for fewer samples than segments, and for none", () => {
    expect([...peaks(Float32Array.from([0.5]), 4)].every((value) => value === 0.5)).toBe(true);
    expect([...peaks(new Float32Array(0), 3)]).toEqual([0, 0, 0]);
  });
});
