/** The map's geometry: the grid equals brute force; zoom and pan keep their invariants. */
import { describe, expect, it } from "vitest";
import type { QueryAnswer, Slot } from "../src/api/types";
import {
  fitAll,
  interpolate,
  neighbour,
  type Place,
  panned,
  toCanvas,
  toPlane,
  zoomed,
} from "../src/map/geometry";
import { wheelFactor } from "../src/map/gestures";
import { Grid } from "../src/map/grid";
import { marksOf } from "../src/map/slotMarks";
import type { Lane } from "../src/query/lanes";

/** A seeded pseudo-random generator of numbers from 0 to 1. */
function* noise(seed = 1): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state * 48271) % 2147483647;
    yield state / 2147483647;
  }
}

const random = noise();
const number = () => random.next().value;
const POINTS = Array.from({ length: 2000 }, (_, id) => ({
  id,
  x: 2 * number() - 1,
  y: 0.6 * number() - 0.3,
}));
const SIZE = { width: 800, height: 600 };

describe("grid", () => {
  it("equals a search through all points", () => {
    const grid = new Grid(POINTS);
    const accepts = ({ id }: { id: number }) => id % 3 !== 0;
    for (let i = 0; i < 400; i++) {
      const at = { x: 2.4 * number() - 1.2, y: 1.2 * number() - 0.6 };
      const radius = 0.2 * number();
      const distance = (point: Place) => Math.hypot(point.x - at.x, point.y - at.y);
      const inReach = POINTS.filter((point) => accepts(point) && distance(point) <= radius);
      const best = inReach.sort((one, other) => distance(one) - distance(other))[0] ?? null;
      expect(grid.nearest(at, radius, accepts)).toBe(best);
    }
  });

  it("works without points, and with one or many at one place", () => {
    expect(new Grid([]).nearest({ x: 0, y: 0 }, 1)).toBeNull();
    const one = { x: 0.5, y: 0.5 };
    expect(new Grid([one]).nearest({ x: 0.4, y: 0.5 }, 0.2)).toBe(one);
    const same = Array.from({ length: 500 }, () => ({ x: 0, y: 0 }));
    expect(same).toContain(new Grid(same).nearest({ x: 0.01, y: 0 }, 0.1));
  });
});

describe("geometry", () => {
  const whole = fitAll(POINTS, SIZE);

  it("shows every point within the canvas", () => {
    for (const point of POINTS) {
      const { x, y } = toCanvas(point, whole, SIZE);
      expect(x >= 0 && x <= SIZE.width && y >= 0 && y <= SIZE.height).toBe(true);
    }
    expect(fitAll([], SIZE).scale).toBeGreaterThan(0);
    expect(fitAll([{ x: 1, y: 1 }], SIZE)).toMatchObject({ x: 1, y: 1 });
  });

  it("converts back and forth", () => {
    const at = { x: 123, y: 456 };
    const back = toCanvas(toPlane(at, whole, SIZE), whole, SIZE);
    expect(back.x).toBeCloseTo(at.x);
    expect(back.y).toBeCloseTo(at.y);
  });

  it("zooms about the pointer, within bounds", () => {
    const at = { x: 700, y: 100 };
    const under = toPlane(at, whole, SIZE);
    let viewport = whole;
    for (let i = 0; i < 30; i++) {
      viewport = zoomed(viewport, 1.3, at, SIZE, whole);
      expect(toCanvas(under, viewport, SIZE).x).toBeCloseTo(at.x);
      expect(toCanvas(under, viewport, SIZE).y).toBeCloseTo(at.y);
    }
    expect(viewport.scale).toBe(40 * whole.scale);
    expect(zoomed(whole, 0.001, at, SIZE, whole).scale).toBe(0.8 * whole.scale);
  });

  it("pans with the pointer, but never out of sight", () => {
    const moved = panned(whole, 30, -20, SIZE, whole);
    const before = toCanvas({ x: 0, y: 0 }, whole, SIZE);
    const after = toCanvas({ x: 0, y: 0 }, moved, SIZE);
    expect(after.x - before.x).toBeCloseTo(30);
    expect(after.y - before.y).toBeCloseTo(-20);
    const far = panned(whole, 1e6, 1e6, SIZE, whole);
    expect(Math.abs(toCanvas(whole, far, SIZE).x - SIZE.width / 2)).toBeLessThanOrEqual(SIZE.width / 2 + 1);
  });

  it("interpolates between viewports", () => {
    const to = { x: 0.2, y: 0.1, scale: 4 * whole.scale };
    expect(interpolate(whole, to, 0)).toEqual(whole);
    expect(interpolate(whole, to, 1).scale).toBeCloseTo(to.scale);
    expect(interpolate(whole, to, 0.5).scale).toBeCloseTo(2 * whole.scale);
  });

  it("finds the next point in the direction of an arrow key", () => {
    const points = [
      { name: "right", x: 1, y: 0.2 },
      { name: "far right", x: 3, y: 0 },
      { name: "up", x: 0.1, y: 1 },
    ];
    expect(neighbour(points, { x: 0, y: 0 }, { x: 1, y: 0 })?.name).toBe("right");
    expect(neighbour(points, { x: 0, y: 0 }, { x: 0, y: 1 })?.name).toBe("up");
    expect(neighbour(points, { x: 0, y: 0 }, { x: -1, y: 0 })).toBeNull();
  });
});

describe("wheel", () => {
  it("zooms in upwards and out downwards, by equal and bounded steps", () => {
    const wheel = (deltaY: number, deltaMode = 0, ctrlKey = false) =>
      wheelFactor({ deltaY, deltaMode, ctrlKey });
    expect(wheel(-100)).toBeGreaterThan(1);
    expect(wheel(100) * wheel(-100)).toBeCloseTo(1);
    expect(wheel(3, 1)).toBeCloseTo(wheel(48));
    expect(wheel(-1e9)).toBeLessThan(2);
    expect(wheel(-5, 0, true)).toBeGreaterThan(wheel(-5));
  });
});

describe("marks", () => {
  const unheard = { family: null, recognised_family: null, source: null, best_span: null, lead: null };
  const slot = (number_: number, name: string | null): Slot => ({
    slot: number_,
    presence: 1,
    active: [],
    hits: name ? [{ ...unheard, instrument_id: `i_${name}`, name, similarity: 1, preview_url: "" }] : [],
    curve: [],
    family: null,
    families: {},
    match: null,
    close: name !== null,
  });
  const lane = (of: Slot, colour: number): Lane => ({
    key: `lane ${of.slot}`,
    range: [0, 1],
    slot: of,
    colour,
    locked: false,
    like: null,
  });

  it("are the answer's slots with their lanes' numbers and colours", () => {
    const [piano, nothing, old] = [slot(2, "Piano"), slot(0, null), slot(0, "Old")];
    const lanes = [lane(piano, 5), lane(old, 1), lane(nothing, 3)];
    const answer = { slots: [nothing, piano] } as QueryAnswer;
    const slots = [
      { slot: 0, x: 0.1, y: 0.2 },
      { slot: 2, x: -0.3, y: 0.4 },
    ];
    expect(marksOf(slots, lanes, answer)).toEqual([
      { x: -0.3, y: 0.4, number: 1, colour: 5, name: "Piano", instrument: "i_Piano" },
      { x: 0.1, y: 0.2, number: 3, colour: 3, name: "no close match", instrument: null },
    ]);
    expect(marksOf(slots, lanes, null)).toEqual([]);
  });
});
