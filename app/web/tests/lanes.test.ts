/** Lanes across answers: the same instrument keeps its lane, a locked one keeps everything, choices follow. */
import { describe, expect, it } from "vitest";
import type { Hit, QueryAnswer, Slot, Span } from "../src/api/types";
import {
  choiceOf,
  choicesOf,
  hitsOf,
  type Lane,
  lanesOf,
  likeness,
  overlap,
  within,
} from "../src/query/lanes";

const hit = (id: string, similarity = 0.8): Hit => ({
  instrument_id: id,
  name: id.toUpperCase(),
  family: "bass",
  similarity,
  preview_url: `/v1/instruments/${id}/preview`,
});

const slot = (index: number, active: Span[], ids: string[], close = true): Slot => ({
  slot: index,
  presence: 0.9,
  active,
  hits: ids.map((id) => hit(id)),
  curve: [],
  family: "bass",
  close,
});

const answer = (id: string, slots: Slot[], range: Span = [0, 10]): QueryAnswer => ({
  id,
  library: { id: "l", name: "L", num_instruments: 9 },
  mode: "auto",
  encoder: "sha256:0",
  name: "song.wav",
  duration_seconds: 10,
  range_seconds: range,
  num_instruments: slots.length,
  slots,
  retrieved: [],
  audio_url: `/v1/queries/${id}/audio`,
  asked_again: null,
  timing_ms: {},
});

const bass = slot(0, [[0, 5]], ["a", "b", "c"]);
const flute = slot(1, [[4, 10]], ["d", "e", "f"]);
const at = (lanes: readonly Lane[], index: number): Lane => {
  const lane = lanes[index];
  if (!lane) throw new Error(`no lane ${index}`);
  return lane;
};

describe("overlap", () => {
  it("is what both cover, and what either covers", () => {
    expect(
      overlap(
        [
          [0, 4],
          [6, 8],
        ],
        [[2, 7]],
      ),
    ).toEqual({ both: 3, either: 8 });
    expect(overlap([], [[0, 1]])).toEqual({ both: 0, either: 1 });
  });

  it("is looked at within a range only", () => {
    expect(
      within(
        [
          [0, 4],
          [6, 8],
        ],
        [3, 7],
      ),
    ).toEqual([
      [3, 4],
      [6, 7],
    ]);
    expect(within([[0, 1]], [3, 7])).toEqual([]);
  });
});

describe("likeness", () => {
  it("is 1 for the same, 0 for strangers, and the same both ways", () => {
    expect(likeness(bass, bass, [0, 10])).toBeCloseTo(1);
    expect(likeness(slot(0, [[0, 1]], ["a"]), slot(0, [[5, 6]], ["z"]), [0, 10])).toBe(0);
    expect(likeness(bass, flute, [0, 10])).toBeCloseTo(likeness(flute, bass, [0, 10]));
  });
});

describe("lanes of an answer", () => {
  const first = lanesOf(answer("q1", [bass, flute]), []);

  it("have a colour each", () => {
    expect(first.map((lane) => lane.colour)).toEqual([1, 2]);
    expect(new Set(first.map((lane) => lane.key)).size).toBe(2);
  });

  it("stay the same lanes when the next answer has them in another order", () => {
    const again = lanesOf(
      answer("q2", [
        { ...flute, slot: 0 },
        { ...bass, slot: 1 },
      ]),
      first,
    );
    expect(again.map((lane) => lane.key)).toEqual([at(first, 1).key, at(first, 0).key]);
    expect(again.map((lane) => lane.colour)).toEqual([2, 1]);
    expect(again.every((lane) => lane.range[1] === 10)).toBe(true);
  });

  it("give a new instrument a colour that is free", () => {
    const drums = slot(2, [[0, 2]], ["x", "y"]);
    expect(lanesOf(answer("q2", [drums, flute]), first).map((lane) => lane.colour)).toEqual([1, 2]);
    expect(lanesOf(answer("q2", [bass, flute, drums]), first).map((lane) => lane.colour)).toEqual([1, 2, 3]);
  });

  it("leave a locked lane exactly as it is, though its hits are others now", () => {
    const locked = first.map((lane, index) => ({ ...lane, locked: index === 0 }));
    const again = lanesOf(answer("q2", [flute, slot(1, [[0, 5]], ["a", "y", "z"])]), locked);
    expect(again).toHaveLength(2);
    expect(again[1]).toBe(locked[0]);
  });

  it("keep a locked lane that is not heard any more, first", () => {
    const locked = first.map((lane, index) => ({ ...lane, locked: index === 0 }));
    const again = lanesOf(answer("q2", [flute]), locked);
    expect(again[0]).toBe(locked[0]);
    expect(again).toHaveLength(2);
  });

  it("are never more than there are colours to tell apart, and more lanes still get one", () => {
    const many = Array.from({ length: 11 }, (_, k) => slot(k, [[k, k + 1]], [`i${k}`]));
    for (const lane of lanesOf(answer("q1", many), [])) {
      expect(lane.colour).toBeGreaterThanOrEqual(1);
      expect(lane.colour).toBeLessThanOrEqual(8);
    }
  });
});

describe("choices", () => {
  it("are the best hits at first, where one is close", () => {
    const lanes = lanesOf(answer("q1", [bass, { ...flute, close: false }]), []);
    expect([...choicesOf(lanes, new Set())]).toEqual([choiceOf(at(lanes, 0), hit("a"))]);
  });

  it("stay when the answer changes, and fall back to the best when theirs is gone", () => {
    const lanes = lanesOf(answer("q1", [bass]), []);
    const chosen = new Set([choiceOf(at(lanes, 0), hit("c"))]);
    const same = lanesOf(answer("q2", [bass]), lanes);
    expect([...choicesOf(same, chosen)]).toEqual([...chosen]);
    const without = lanesOf(answer("q3", [slot(0, [[0, 5]], ["a", "b"])]), lanes);
    expect([...choicesOf(without, chosen)]).toEqual([choiceOf(at(without, 0), hit("a"))]);
  });

  it("of a locked lane stay even when none was chosen", () => {
    const lanes = lanesOf(answer("q1", [bass]), []).map((lane) => ({ ...lane, locked: true }));
    expect([...choicesOf(lanes, new Set())]).toEqual([]);
  });
});

describe("listed hits", () => {
  it("leave out what was refused, except in a locked lane", () => {
    const lane = at(lanesOf(answer("q1", [bass]), []), 0);
    const refused = new Map([["b", "B"]]);
    expect(hitsOf(lane, refused).map((item) => item.instrument_id)).toEqual(["a", "c"]);
    expect(hitsOf({ ...lane, locked: true }, refused)).toHaveLength(3);
    expect(hitsOf({ ...lane, like: { hit: hit("a"), hits: [hit("b"), hit("z")] } }, refused)).toEqual([
      hit("z"),
    ]);
  });
});
