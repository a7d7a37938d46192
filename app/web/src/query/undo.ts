/** Undo of one change to an answer: a three-way merge of the state before the change, right after it, and now.
 * What was done since then stays. */
import type { Mode, QueryAnswer } from "../api/types";
import { carryChoices, type Lane, lanesOf } from "./lanes";
import type { QueryState } from "./state";

/** The state with the preferences that a question depends on. */
export interface Moment {
  state: QueryState;
  library: string | null; // id
  topK: number;
  mode: Mode;
}

export interface Undone {
  state: QueryState;
  library: string | null;
  asks: boolean; // whether the change was one of the question
  isAnswered: boolean; // whether `state` has the answer to its question
}

/** The parts of the state that an answer changes; lanes of the same instrument are kept. */
export function answeredWith(
  answer: QueryAnswer,
  { lanes, chosen, decided }: QueryState,
): Pick<QueryState, "answer" | "lanes" | "chosen"> {
  const next = lanesOf(answer, lanes);
  return { answer, lanes: next, chosen: carryChoices(next, chosen, decided) };
}

/** The state without the change from `before` to `after`, and with all that differs between `after` and `now`. */
export function withoutChange(before: Moment, after: Moment, now: Moment): Undone {
  const [b, a, n] = [before.state, after.state, now.state];
  const library = pick(before.library, after.library, now.library);
  const state: QueryState = {
    ...n,
    selection: pick(b.selection, a.selection, n.selection),
    family: pick(b.family, a.family, n.family),
    effects: pick(b.effects, a.effects, n.effects),
    excluded: mergeMaps(b.excluded, a.excluded, n.excluded),
    chosen: mergeSets(b.chosen, a.chosen, n.chosen),
    decided: mergeSets(b.decided, a.decided, n.decided),
  };
  const asks = !isSameQuestion(before, after);
  const restores = asks && isSameQuestion(before, { ...now, state, library });
  if (restores) {
    state.answer = b.answer;
    state.lanes = restoredLanes(b.lanes, a.lanes, n.lanes);
  } else {
    state.lanes = keptLanes(b.lanes, a.lanes, n.lanes);
  }
  return { state, library, asks, isAnswered: !asks || restores };
}

/** The value before the change, unless it has changed again since. */
function pick<T>(before: T, after: T, now: T): T {
  return now === after ? before : now;
}

function mergeSets<T>(before: ReadonlySet<T>, after: ReadonlySet<T>, now: ReadonlySet<T>): Set<T> {
  const all = [...before, ...now];
  return new Set(all.filter((item) => pick(before.has(item), after.has(item), now.has(item))));
}

function mergeMaps<K, V>(
  before: ReadonlyMap<K, V>,
  after: ReadonlyMap<K, V>,
  now: ReadonlyMap<K, V>,
): Map<K, V> {
  const keys = mergeSets(new Set(before.keys()), new Set(after.keys()), new Set(now.keys()));
  return new Map([...before, ...now].filter(([key]) => keys.has(key)));
}

function isSameQuestion(one: Moment, other: Moment): boolean {
  const words = ({ state, library, topK, mode }: Moment) =>
    JSON.stringify([
      ...[state.selection, state.family, state.effects, [...state.excluded.keys()].sort()],
      ...[library, topK, mode],
    ]);
  return words(one) === words(other);
}

const byKey = (lanes: readonly Lane[]) => new Map(lanes.map((lane) => [lane.key, lane]));

/** The lanes of now, with locks and similar hits as before the change. */
function keptLanes(before: readonly Lane[], after: readonly Lane[], now: readonly Lane[]): Lane[] {
  const [beforeOf, afterOf] = [byKey(before), byKey(after)];
  return now.map((lane) => {
    const [b, a] = [beforeOf.get(lane.key), afterOf.get(lane.key)];
    if (!b || !a) return lane;
    return {
      ...lane,
      locked: pick(b.locked, a.locked, lane.locked),
      like: pick(b.like, a.like, lane.like),
    };
  });
}

/** The lanes from before the change. One that was locked since stays as it is, and other locks are those of now. */
function restoredLanes(before: readonly Lane[], after: readonly Lane[], now: readonly Lane[]): Lane[] {
  const [beforeOf, afterOf, nowOf] = [byKey(before), byKey(after), byKey(now)];
  const lanes = before.map((lane) => {
    const [a, n] = [afterOf.get(lane.key), nowOf.get(lane.key)];
    if (!a || !n) return lane;
    if (n.locked && !a.locked) return n;
    return { ...lane, locked: pick(lane.locked, a.locked, n.locked), like: pick(lane.like, a.like, n.like) };
  });
  return [...now.filter((lane) => lane.locked && !beforeOf.has(lane.key)), ...lanes];
}
