/** Times in words, as typed, and on the ruler. */
import { describe, expect, it } from "vitest";
import { ago, clock, secondsOf, spansInWords, ticks } from "../src/query/times";

describe("the clock", () => {
  it.each([
    [0, "0:00.0"],
    [59.96, "1:00.0"],
    [75.25, "1:15.3"],
    [600, "10:00.0"],
    [-1, "0:00.0"],
  ])("%s s is %s", (seconds, text) => {
    expect(clock(seconds)).toBe(text);
  });

  it("has whole seconds too", () => {
    expect(clock(65, 0)).toBe("1:05");
    expect(clock(59.6, 0)).toBe("1:00");
  });
});

describe("typed times", () => {
  it.each([
    ["1:15.3", 75.3],
    ["75.3", 75.3],
    ["75,3", 75.3],
    [" 8 ", 8],
    ["0:00.0", 0],
  ])("%s is %s s", (text, seconds) => {
    expect(secondsOf(text)).toBeCloseTo(seconds);
  });

  it.each(["", "abc", "-3", "1:2:3", "1e3", "1:"])("%s is none", (text) => {
    expect(secondsOf(text)).toBeNull();
  });

  it("are read back as the clock writes them", () => {
    for (const seconds of [0, 0.1, 9.9, 59.9, 61.2, 3599.9])
      expect(secondsOf(clock(seconds))).toBeCloseTo(seconds);
  });
});

describe("the ruler", () => {
  it("has no more ticks than asked for, all inside, evenly spaced", () => {
    for (const [start, end, most] of [
      [0, 28, 9],
      [9.4, 17.2, 8],
      [0, 1800, 5],
      [0, 0.4, 6],
    ] as const) {
      const found = ticks([start, end], most);
      expect(found.length).toBeLessThanOrEqual(most + 1);
      expect(found.length).toBeGreaterThan(0);
      for (const time of found) {
        expect(time).toBeGreaterThanOrEqual(start - 1e-6);
        expect(time).toBeLessThanOrEqual(end + 1e-6);
      }
    }
  });
});

describe("in words", () => {
  it("spans are listed, the fourth and later ones counted", () => {
    expect(spansInWords([[0, 4]])).toBe("0:00.0 to 0:04.0");
    expect(
      spansInWords([
        [0, 1],
        [2, 3],
        [4, 5],
        [6, 7],
        [8, 9],
      ]),
    ).toMatch(/ and 2 more$/);
    expect(spansInWords([])).toBe("");
  });

  it("how long ago is short", () => {
    const now = Date.parse("2026-11-21T12:00:00Z");
    expect(ago("2026-11-21T11:59:40Z", now)).toBe("now");
    expect(ago("2026-11-21T11:55:00Z", now)).toBe("5 min ago");
    expect(ago("2026-11-21T09:00:00Z", now)).toBe("3 h ago");
    expect(ago("2026-01-02T09:00:00Z", now)).toMatch(/2026/);
    expect(ago("2026-11-21T12:00:30Z", now)).toBe("now"); // clocks differ
  });
});
