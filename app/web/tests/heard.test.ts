import { describe, expect, test } from "vitest";
import type { FamilyRow, HeardFamily, QueryAnswer, Timeline } from "../src/api/types";
import { isPerhaps, opacity, placeOf, rowOf, shownFamilies, strip } from "../src/query/heard";

function heard(family: string, probability: number, plays: boolean | null = null): HeardFamily {
  return { family, probability, active: [], curve: [], plays };
}

describe("families heard", () => {
  test("the likely ones are shown, six at most", () => {
    const families = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.35, 0.2].map((share, i) => heard(`f${i}`, share));
    expect(shownFamilies({ families } as QueryAnswer).map(({ family }) => family)).toEqual([
      "f0",
      "f1",
      "f2",
      "f3",
      "f4",
      "f5",
    ]);
    expect(shownFamilies({ families: families.slice(6) } as QueryAnswer)).toHaveLength(1);
    expect(shownFamilies({ families: [] as HeardFamily[] } as QueryAnswer)).toEqual([]);
  });

  test("those of lanes come first, however sure; others only if they are likely", () => {
    const families = [heard("organ", 0.9, false), heard("flute", 0.1, true), heard("reed", 0.3, false)];
    const shown = shownFamilies({ families } as QueryAnswer);
    expect(shown.map((one) => [one.family, isPerhaps(one)])).toEqual([
      ["flute", false],
      ["organ", true],
    ]);
  });

  test("a strip is as opaque as the family is probable, within the queried range", () => {
    const drawn = strip(
      [
        [15, 0.25],
        [17.5, 1],
      ],
      [12.5, 20],
      [10, 20],
    );
    const stops = [...drawn.matchAll(/(transparent|var\(--tint\) (\d+)%[^)]*\)) ([\d.]+)%/g)].map(
      ([, whole, share, place]) => [whole === "transparent" ? 0 : Number(share), Number(place)],
    );
    expect(stops).toEqual([
      [0, 25],
      [25, 25],
      [25, 50],
      [100, 75],
      [100, 100],
      [0, 100],
    ]);
    expect(strip([], [0, 1], [0, 1])).toBe("none");
  });
});

const ROW: FamilyRow = { family: "bass", threshold: 0.4, active: [], probabilities: [0.1, 0.9] };
const FOUND: Timeline = {
  query: "q_1",
  start_seconds: 10,
  frame_seconds: 0.1,
  num_frames: 50,
  families: [ROW],
};

describe("families over time", () => {
  test("the row of a family is found, and null where the timeline does not tell it", () => {
    expect(rowOf(FOUND, "bass")).toBe(ROW);
    expect(rowOf(FOUND, "organ")).toBeNull();
    expect(rowOf(null, "bass")).toBeNull();
  });

  test("frames lie where they sound in the view", () => {
    expect(placeOf(FOUND, [5, 25])).toEqual({ left: 0.25, width: 0.25 });
    expect(placeOf(FOUND, [12, 14])).toEqual({ left: -1, width: 2.5 });
  });

  test("a frame is faint below the threshold, plain at it and full where the family is sure", () => {
    expect(opacity(0, 0.4)).toBe(0);
    expect(opacity(0.39, 0.4)).toBeLessThan(0.15);
    expect(opacity(0.4, 0.4)).toBeCloseTo(0.3);
    expect(opacity(1, 0.4)).toBe(1);
    const rising = [0, 0.1, 0.3, 0.5, 0.8, 1].map((probability) => opacity(probability, 0.2));
    expect(rising).toEqual([...rising].sort((one, other) => one - other));
    expect(opacity(1, 0)).toBe(1);
    expect(Number.isFinite(opacity(1, 1))).toBe(true);
  });
});
