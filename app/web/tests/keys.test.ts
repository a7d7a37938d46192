/** The keys of the small keyboard, and the notes in MIDI messages. */
import { describe, expect, it } from "vitest";
import { bestLowest, isBlack, letterOf, pitchName, semitonesOf } from "../src/keyboard/keys";
import { noteOf } from "../src/keyboard/midi";

const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe("keys", () => {
  it("are named and coloured as on a piano", () => {
    expect([60, 61, 69, 0, 127].map(pitchName)).toEqual(["C4", "C♯4", "A4", "C-1", "G9"]);
    expect(span(60, 71).filter(isBlack)).toEqual([61, 63, 66, 68, 70]);
  });

  it("have letters whose rows follow the piano's", () => {
    expect(["KeyA", "KeyW", "KeyS", "KeyP"].map(semitonesOf)).toEqual([0, 1, 2, 15]);
    expect(["KeyZ", "Digit1", "A", "Space"].map(semitonesOf)).toEqual([null, null, null, null]);
    for (const semitones of span(0, 15)) expect(semitonesOf(`Key${letterOf(semitones)}`)).toBe(semitones);
    expect(letterOf(16)).toBeNull();
  });

  it("are shown where most of them play", () => {
    expect(bestLowest([], 25)).toBe(48);
    expect(bestLowest(span(0, 127), 25)).toBe(48);
    expect(bestLowest(span(28, 45), 25)).toBe(24);
    expect(bestLowest(span(72, 108), 25)).toBe(72);
  });
});

describe("MIDI messages", () => {
  it("press and release notes on every channel, and are otherwise ignored", () => {
    expect(noteOf([0x93, 60, 80])).toEqual({ pitch: 60, velocity: 80 });
    expect(noteOf([0x93, 60, 0])).toEqual({ pitch: 60, velocity: 0 });
    expect(noteOf([0x80, 60, 64])).toEqual({ pitch: 60, velocity: 0 });
    expect(noteOf([0xb0, 7, 100])).toBeNull();
    expect(noteOf([])).toBeNull();
  });
});
