import { describe, expect, test } from "vitest";
import type { HeardFamily, QueryAnswer } from "../src/api/types";
import { shownFamilies, strip } from "../src/query/heard";

function heard(family: string, probability: number): HeardFamily {
  return { family, probability, active: [], curve: [] };
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
