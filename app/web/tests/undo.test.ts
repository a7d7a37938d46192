/** Undo of one change: it takes back what the change touched, and keeps what was done after it. */
import { describe, expect, it } from "vitest";
import type { QueryAnswer, Span } from "../src/api/types";
import { choiceKey, type Lane } from "../src/query/lanes";
import type { QueryState } from "../src/query/state";
import { answeredWith, type Moment, withoutChange } from "../src/query/undo";

const hit = (id: string) => ({
  instrument_id: id,
  name: id.toUpperCase(),
  family: "bass",
  recognised_family: null,
  source: null,
  similarity: 0.8,
  preview_url: `/v1/instruments/${id}/preview`,
  best_span: null,
  lead: null,
});

/** An answer with two lanes, of which the first lists `ids`. */
const answer = (id: string, ids: string[], range: Span = [0, 10]): QueryAnswer => ({
  id,
  library: { id: "l", name: "L", num_instruments: 9 },
  mode: "auto",
  encoder: "sha256:0",
  name: "song.wav",
  duration_seconds: 10,
  range_seconds: range,
  num_instruments: 2,
  slots: [ids, ["x", "y", "z"]].map((names, number) => ({
    slot: number,
    presence: 0.9,
    active: [number ? [4, 10] : [0, 5]],
    hits: names.map(hit),
    curve: [],
    family: "bass",
    families: {},
    match: { probability: 0.7, word: "fair" },
    close: true,
  })),
  instruments: [],
  families: [],
  retrieved: [],
  audio_url: `/v1/queries/${id}/audio`,
  asked_again: null,
  family: null,
  timing_ms: {},
});

const source = { name: "song.wav", file: null, url: "blob:" };
const NOTHING: QueryState = {
  source,
  answer: null,
  lanes: [],
  selection: null,
  family: null,
  effects: false,
  excluded: new Map(),
  chosen: new Set(),
  decided: new Set(),
};
const moment = (state: QueryState): Moment => ({ state, library: "l", topK: 6, mode: "auto" });
const answered = (state: QueryState, given: QueryAnswer): QueryState => ({
  ...state,
  ...answeredWith(given, state),
});
const lock = (state: QueryState, index: number): QueryState => ({
  ...state,
  lanes: state.lanes.map((lane, at) => (at === index ? { ...lane, locked: true } : lane)),
});
const lane = (state: QueryState, index: number): Lane => {
  const found = state.lanes[index];
  if (!found) throw new Error(`no lane ${index}`);
  return found;
};

const first = answered(NOTHING, answer("q1", ["a", "b", "c"]));
/** Hit `a` is hidden, which unchooses it; the answer names the next best. */
const hiding: QueryState = { ...first, excluded: new Map([["a", "A"]]), chosen: new Set() };
const hidden = answered(hiding, answer("q2", ["b", "c", "d"]));

describe("undoing a hidden hit", () => {
  it("brings its answer and its choice back without asking, if nothing was done since", () => {
    const undone = withoutChange(moment(first), moment(hidden), moment(hidden));
    expect(undone.isAnswered).toBe(true);
    expect(undone.state.answer?.id).toBe("q1");
    expect(undone.state.lanes.map(({ slot }) => slot)).toEqual(first.lanes.map(({ slot }) => slot));
    expect(undone.state.excluded.size).toBe(0);
    expect(undone.state.chosen).toEqual(first.chosen);
  });

  it("keeps a later selection and a later lock, and asks", () => {
    const selected = { ...lock(hidden, 1), selection: [2, 8] as Span };
    const now = answered(selected, answer("q3", ["b", "c", "d"], [2, 8]));
    const { state, isAnswered, asks } = withoutChange(moment(first), moment(hidden), moment(now));
    expect([asks, isAnswered]).toEqual([true, false]);
    expect(state.selection).toEqual([2, 8]);
    expect(state.lanes.map(({ locked }) => locked)).toEqual([false, true]);
    expect(state.excluded.size).toBe(0);
    expect(state.answer?.id).toBe("q3");
  });

  it("keeps later locks, choices and hidden hits where its answer returns", () => {
    const locked = lock(hidden, 0);
    const choice = choiceKey(lane(locked, 1), hit("y"));
    const now = { ...locked, chosen: new Set([...locked.chosen, choice]) };
    const { state, isAnswered } = withoutChange(moment(first), moment(hidden), moment(now));
    expect(isAnswered).toBe(true);
    expect(lane(state, 0)).toBe(lane(now, 0)); // a locked lane keeps everything
    expect(state.chosen).toContain(choice);
    const other = { ...hidden, excluded: new Map([...hidden.excluded, ["x", "X"]]) };
    const undone = withoutChange(moment(first), moment(hidden), moment(other));
    expect([...undone.state.excluded]).toEqual([["x", "X"]]);
    expect(undone.isAnswered).toBe(false);
  });
});

it("undoing a lock keeps the answer that came since", () => {
  const locked = lock(first, 1);
  const now = answered({ ...locked, family: "brass" }, answer("q4", ["e"]));
  const { state, asks, isAnswered } = withoutChange(moment(first), moment(locked), moment(now));
  expect([asks, isAnswered]).toEqual([false, true]);
  expect(state.answer?.id).toBe("q4");
  expect(state.family).toBe("brass");
  expect(state.lanes.some(({ locked }) => locked)).toBe(false);
});

it("undoing another library returns to the first one, unless a third was chosen since", () => {
  const [one, two, three] = ["l", "m", "n"].map((library) => ({ ...moment(first), library }));
  if (!one || !two || !three) throw new Error("three moments");
  expect(withoutChange(one, two, two).library).toBe("l");
  expect(withoutChange(one, two, three).library).toBe("n");
});
