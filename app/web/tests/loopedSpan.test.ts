/** Loops: where a span is after a while, and which spans are repeated from memory. */
import { describe, expect, it } from "vitest";
import { fitsLoop, placeInLoop } from "../src/audio/loopedSpan";

describe("placeInLoop", () => {
  it("begins again after each length", () => {
    expect(placeInLoop(0, 2.5)).toBe(0);
    expect(placeInLoop(1.5, 2.5)).toBe(1.5);
    for (const times of [1, 2, 40]) expect(placeInLoop(1.5 + times * 2.5, 2.5)).toBeCloseTo(1.5, 6);
  });

  it("is at the start before the first sample sounds", () => {
    expect(placeInLoop(-0.01, 2.5)).toBe(0);
  });
});

describe("fitsLoop", () => {
  it("takes short spans of sounds that are not too long to decode", () => {
    expect(fitsLoop([3, 7], 240)).toBe(true);
    expect(fitsLoop([0, 60], 600)).toBe(true);
  });

  it("leaves the others to the media element", () => {
    expect(fitsLoop([0, 61], 240)).toBe(false);
    expect(fitsLoop([0, Number.POSITIVE_INFINITY], 240)).toBe(false);
    expect(fitsLoop([3, 7], 3600)).toBe(false);
    expect(fitsLoop([7, 7], 240)).toBe(false);
    expect(fitsLoop([3, 7], Number.NaN)).toBe(false); // not known yet
  });
});
