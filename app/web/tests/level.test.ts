/** Loudness and level matching, on signals of known loudness. */
import { describe, expect, it } from "vitest";
import { loudness, matchedGains } from "../src/audio/level";

const RATE = 8000;
const sine = (amplitude: number, seconds: number) =>
  Float32Array.from(
    { length: RATE * seconds },
    (_, i) => amplitude * Math.sin((2 * Math.PI * 440 * i) / RATE),
  );

describe("loudness", () => {
  it("of a sine is its amplitude over √2", () => {
    expect(loudness(sine(0.5, 2), RATE)).toBeCloseTo(0.5 / Math.SQRT2, 3);
  });

  it("ignores silent frames", () => {
    const half = new Float32Array(RATE * 4);
    half.set(sine(0.5, 2));
    expect(loudness(half, RATE)).toBeCloseTo(0.5 / Math.SQRT2, 3);
  });

  it("is limited to a range", () => {
    const both = new Float32Array(RATE * 4);
    both.set(sine(0.8, 2));
    both.set(sine(0.2, 2), RATE * 2);
    expect(loudness(both, RATE, 2, 4)).toBeCloseTo(0.2 / Math.SQRT2, 3);
  });

  it("of silence and of nothing is 0", () => {
    expect(loudness(new Float32Array(RATE), RATE)).toBe(0);
    expect(loudness(new Float32Array(0), RATE)).toBe(0);
  });
});

describe("matched gains", () => {
  it("turn the louder one down, so that both are equal", () => {
    const [one, other] = matchedGains(0.4, 0.1);
    expect(one * 0.4).toBeCloseTo(other * 0.1);
    expect(Math.max(one, other)).toBe(1);
  });

  it("are 1 if either is unknown or silent", () => {
    expect(matchedGains(null, 0.3)).toEqual([1, 1]);
    expect(matchedGains(0.3, 0)).toEqual([1, 1]);
  });
});
