/** Formatted and parsed times, and the ruler's ticks. */
import { describe, expect, it } from "vitest";
import { formatAgo, formatClock, formatSpans, parseSeconds, tickTimes } from "../src/query/timeFormat";

describe("the clock", () => {
  it.each([
    [0, "0:00.0"],
    [59.96, "1:00.0"],
    [75.25, "1:15.3"],
    [600, "10:00.0"],
    [-1, "0:00.0"],
  ])("%s s is %s", (seconds, text) => {
    expect(formatClock(seconds)).toBe(text);
  });

  it("can show whole seconds", () => {
    expect(formatClock(65, 0)).toBe("1:05");
    expect(formatClock(59.6, 0)).toBe("1:00");
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
    expect(parseSeconds(text)).toBeCloseTo(seconds);
  });

  it.each(["", "abc", "-3", "1:2:3", "1e3", "1:"])("%s is invalid", (text) => {
    expect(parseSeconds(text)).toBeNull();
  });

  it("round-trip with the clock", () => {
    for (const seconds of [0, 0.1, 9.9, 59.9, 61.2, 3599.9])
      expect(parseSeconds(formatClock(seconds))).toBeCloseTo(seconds);
  });
});

describe("the ruler", () => {
  it("has at most the requested ticks, evenly spaced within the view", () => {
    for (const [start, end, most] of [
      [0, 28, 9],
      [9.4, 17.2, 8],
      [0, 1800, 5],
      [0, 0.4, 6],
    ] as const) {
      const found = tickTimes([start, end], most);
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
  it("the first three spans are listed, the rest counted", () => {
    expect(formatSpans([[0, 4]])).toBe("0:00.0 to 0:04.0");
    expect(
      formatSpans([
        [0, 1],
        [2, 3],
        [4, 5],
        [6, 7],
        [8, 9],
      ]),
    ).toMatch(/ and 2 more$/);
    expect(formatSpans([])).toBe("");
  });

  it("relative times are short", () => {
    const now = Date.parse("2026-11-21T12:00:00Z");
    expect(formatAgo("2026-11-21T11:59:40Z", now)).toBe("now");
    expect(formatAgo("2026-11-21T11:55:00Z", now)).toBe("5 min ago");
    expect(formatAgo("2026-11-21T09:00:00Z", now)).toBe("3 h ago");
    expect(formatAgo("2026-01-02T09:00:00Z", now)).toMatch(/2026/);
    expect(formatAgo("2026-11-21T12:00:30Z", now)).toBe("now"); // clocks differ
  });
});
