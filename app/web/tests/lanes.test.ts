/** Lanes across answers: an instrument keeps its lane, a locked lane keeps everything, choices are carried over. */
import { describe, expect, it } from "vitest";
import type { QueryAnswer, Slot, Span } from "../src/api/types";
import {
  carryChoices,
  choiceKey,
  clipSpans,
  heardWords,
  hitsOf,
  type Lane,
  laneFamily,
  lanesOf,
  matchWord,
  overlap,
  sameInstrumentScore,
} from "../src/query/lanes";

const hit = (id: string, similarity = 0.8): Slot["hits"][number] => ({
  instrument_id: id,
  name: id.toUpperCase(),
  family: "bass",
  recognised_family: null,
  source: null,
  similarity,
  preview_url: `/v1/instruments/${id}/preview`,
  best_span: null,
  lead: null,
});

const slot = (index: number, active: Span[], ids: string[], close = true): Slot => ({
  slot: index,
  presence: 0.9,
  active,
  hits: ids.map((id) => hit(id)),
  curve: [],
  family: "bass",
  families: {},
  match: close ? { probability: 0.7, word: "fair" } : { probability: 0.1, word: "none" },
  close,
});

const COMMON = {
  library: { id: "l", name: "L", num_instruments: 9 },
  mode: "auto" as const,
  encoder: "sha256:0",
  name: "song.wav",
  duration_seconds: 10,
  instruments: [],
  families: [],
  retrieved: [],
  asked_again: null,
  family: null,
  timing_ms: {},
};

const answer = (id: string, slots: Slot[], range: Span = [0, 10]): QueryAnswer => ({
  ...COMMON,
  id,
  range_seconds: range,
  num_instruments: slots.length,
  slots,
  audio_url: `/v1/queries/${id}/audio`,
});

const bass = slot(0, [[0, 5]], ["a", "b", "c"]);
const flute = slot(1, [[4, 10]], ["d", "e", "f"]);
const at = (lanes: readonly Lane[], index: number): Lane => {
  const lane = lanes[index];
  if (!lane) throw new Error(`no lane ${index}`);
  return lane;
};

describe("the family of a lane", () => {
  it("has a question mark below one half, whether or not the library has such an instrument", () => {
    const heard = {
      ...slot(0, [[0, 5]], ["a"], false),
      families: { bass: 0.48, synth_lead: 0.3, reed: 0.05 },
    };
    expect(laneFamily(heard)).toEqual({
      name: "bass",
      sure: false,
      told: "Sounds like bass 48%, synth lead 30%",
    });
    const sure = { ...heard, family: "synth_lead", families: { synth_lead: 0.8 } };
    expect(laneFamily(sure)).toEqual({ name: "synth lead", sure: true, told: "Sounds like synth lead 80%" });
  });

  it("comes from matches alone in answers of older versions", () => {
    expect(laneFamily(bass)).toEqual({ name: "bass", sure: true, told: "" });
    expect(laneFamily(slot(0, [[0, 5]], ["a"], false))).toBeNull();
    expect(laneFamily({ ...bass, family: null })).toBeNull();
  });
});

describe("overlap", () => {
  it("is the time in both lists and the time in either", () => {
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

  it("is limited to a range", () => {
    expect(
      clipSpans(
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
    expect(clipSpans([[0, 1]], [3, 7])).toEqual([]);
  });
});

describe("same-instrument score", () => {
  it("is 1 for equal slots, 0 for unrelated ones, and symmetric", () => {
    expect(sameInstrumentScore(bass, bass, [0, 10])).toBeCloseTo(1);
    expect(sameInstrumentScore(slot(0, [[0, 1]], ["a"]), slot(0, [[5, 6]], ["z"]), [0, 10])).toBe(0);
    expect(sameInstrumentScore(bass, flute, [0, 10])).toBeCloseTo(sameInstrumentScore(flute, bass, [0, 10]));
  });
});

describe("lanes of an answer", () => {
  const first = lanesOf(answer("q1", [bass, flute]), []);

  it("have different colours", () => {
    expect(first.map((lane) => lane.colour)).toEqual([1, 2]);
    expect(new Set(first.map((lane) => lane.key)).size).toBe(2);
  });

  it("are kept when the next answer reorders them", () => {
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

  it("give a new instrument an unused colour", () => {
    const drums = slot(2, [[0, 2]], ["x", "y"]);
    expect(lanesOf(answer("q2", [drums, flute]), first).map((lane) => lane.colour)).toEqual([1, 2]);
    expect(lanesOf(answer("q2", [bass, flute, drums]), first).map((lane) => lane.colour)).toEqual([1, 2, 3]);
  });

  it("do not change a locked lane, even if its hits changed", () => {
    const locked = first.map((lane, index) => ({ ...lane, locked: index === 0 }));
    const again = lanesOf(answer("q2", [flute, slot(1, [[0, 5]], ["a", "y", "z"])]), locked);
    expect(again).toHaveLength(2);
    expect(again[1]).toBe(locked[0]);
  });

  it("keep a locked lane first when its instrument is gone", () => {
    const locked = first.map((lane, index) => ({ ...lane, locked: index === 0 }));
    const again = lanesOf(answer("q2", [flute]), locked);
    expect(again[0]).toBe(locked[0]);
    expect(again).toHaveLength(2);
  });

  it("reuse colours when there are more lanes than colours", () => {
    const many = Array.from({ length: 11 }, (_, k) => slot(k, [[k, k + 1]], [`i${k}`]));
    for (const lane of lanesOf(answer("q1", many), [])) {
      expect(lane.colour).toBeGreaterThanOrEqual(1);
      expect(lane.colour).toBeLessThanOrEqual(8);
    }
  });
});

describe("the word of a match", () => {
  it("is the answer's, and that of an older answer when nothing is close", () => {
    expect(matchWord(slot(0, [], ["a"]))).toBe("fair");
    expect(matchWord(slot(0, [], ["a"], false))).toBe("none");
    expect(matchWord({ ...slot(0, [], ["a"], false), match: null })).toBe("none");
    expect(matchWord({ ...slot(0, [], ["a"]), match: null })).toBeNull();
  });
});

describe("choices", () => {
  it("are the best close hits at first", () => {
    const none = { ...flute, close: false, match: { probability: 0.1, word: "none" as const } };
    const lanes = lanesOf(answer("q1", [bass, none]), []);
    expect([...carryChoices(lanes, new Set(), new Set())]).toEqual([choiceKey(at(lanes, 0), hit("a"))]);
  });

  it("leave out weak matches", () => {
    const weak = lanesOf(answer("q1", [{ ...bass, match: { probability: 0.4, word: "weak" } }]), []);
    expect([...carryChoices(weak, new Set(), new Set())]).toEqual([]);
  });

  it("stay as the user made them when the answer changes, even if that is none", () => {
    const lanes = lanesOf(answer("q1", [bass]), []);
    const decided = new Set([at(lanes, 0).key]);
    const chosen = new Set([choiceKey(at(lanes, 0), hit("c"))]);
    const same = lanesOf(answer("q2", [bass]), lanes);
    expect([...carryChoices(same, chosen, decided)]).toEqual([...chosen]);
    expect([...carryChoices(same, new Set(), decided)]).toEqual([]);
    const without = lanesOf(answer("q3", [slot(0, [[0, 5]], ["a", "b"])]), lanes);
    expect([...carryChoices(without, chosen, decided)]).toEqual([]);
  });

  it("are the suggestion of the newest answer until the user chooses", () => {
    const lanes = lanesOf(answer("q1", [bass]), []);
    const first = carryChoices(lanes, new Set(), new Set());
    const next = lanesOf(answer("q2", [slot(0, [[0, 5]], ["b", "a", "c"])]), lanes);
    expect([...carryChoices(next, first, new Set())]).toEqual([choiceKey(at(next, 0), hit("b"))]);
  });

  it("of a locked lane stay, even if empty", () => {
    const lanes = lanesOf(answer("q1", [bass]), []).map((lane) => ({ ...lane, locked: true }));
    expect([...carryChoices(lanes, new Set(), new Set())]).toEqual([]);
  });
});

describe("the summary", () => {
  it("counts the lanes: those heard, and those that only their lock keeps", () => {
    const before = lanesOf(answer("q1", [bass, flute]), []).map((lane) => ({ ...lane, locked: true }));
    const next = answer("q2", [slot(0, [[8, 9]], ["x", "y"])]);
    expect(heardWords(next.slots, lanesOf(next, before))).toBe("1 instrument heard, 2 locked");
    expect(heardWords(next.slots, lanesOf(next, []))).toBe("1 instrument heard");
    expect(heardWords([], before)).toBe("No instruments heard, 2 locked");
  });
});

describe("listed hits", () => {
  it("omit hidden instruments, except in a locked lane", () => {
    const lane = at(lanesOf(answer("q1", [bass]), []), 0);
    const hidden = new Map([["b", "B"]]);
    expect(hitsOf(lane, hidden).map((item) => item.instrument_id)).toEqual(["a", "c"]);
    expect(hitsOf({ ...lane, locked: true }, hidden)).toHaveLength(3);
    expect(hitsOf({ ...lane, like: { hit: hit("a"), hits: [hit("b"), hit("z")] } }, hidden)).toEqual([
      hit("z"),
    ]);
  });
});
