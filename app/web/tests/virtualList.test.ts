/** The rendered rows of a virtual list. */
import { describe, expect, it } from "vitest";
import { visibleRows } from "../src/ui/VirtualList";

describe("visible rows", () => {
  it("cover the viewport with a margin, within the list", () => {
    for (const top of [0, 17, 400, 39_990, 100_000]) {
      const [first, last] = visibleRows(top, 600, 40, 1000);
      expect(first).toBeLessThanOrEqual(Math.min(1000, Math.floor(top / 40)));
      expect(last).toBeLessThanOrEqual(1000);
      if (top < 1000 * 40) expect(last).toBeGreaterThan(Math.floor(top / 40));
      expect(last - first).toBeLessThan(40);
    }
  });

  it("are none in an empty list", () => {
    expect(visibleRows(0, 600, 40, 0)).toEqual([0, 0]);
  });
});
