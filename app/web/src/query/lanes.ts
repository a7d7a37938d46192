/** Lanes: what the page keeps of each instrument heard, across the answers to one track.
 * A new answer's slots are matched to the lanes that are there, by when they sound and by what comes near, so that a lane
 * keeps its colour and its choice, and a locked one everything. */
import type { Hit, QueryAnswer, Slot, Span } from "../api/types";

export const COLOURS = 8; // --lane-1 … --lane-8
const SAME = 0.34; // a match below this is another instrument

export interface Like {
  hit: Hit;
  hits: Hit[]; // nearest first; their similarity is to `hit`
}

export interface Lane {
  key: string;
  range: Span; // of the answer that the slot is from
  slot: Slot;
  colour: number; // 1 to COLOURS
  locked: boolean;
  like: Like | null; // what is listed instead of the slot's own hits
}

/** The hits that a lane lists: its own, or those like one of them, without what was refused. */
export function hitsOf(lane: Lane, excluded: ReadonlyMap<string, string>): Hit[] {
  const hits = lane.like?.hits ?? lane.slot.hits;
  return lane.locked ? hits : hits.filter((hit) => !excluded.has(hit.instrument_id));
}

/** How a choice is written: one instrument in one lane. */
export function choiceOf(lane: Lane, hit: Hit): string {
  return `${lane.key} ${hit.instrument_id}`;
}

/** Seconds that two lists of spans share, and that either of them covers. Spans of a list do not overlap. */
export function overlap(one: readonly Span[], other: readonly Span[]): { both: number; either: number } {
  let both = 0;
  for (const [start, end] of one)
    for (const [from, to] of other) both += Math.max(0, Math.min(end, to) - Math.max(start, from));
  const length = (spans: readonly Span[]) => spans.reduce((sum, [start, end]) => sum + end - start, 0);
  return { both, either: length(one) + length(other) - both };
}

/** The parts of `spans` within `range`. */
export function within(spans: readonly Span[], range: Span): Span[] {
  return spans
    .map(([start, end]): Span => [Math.max(start, range[0]), Math.min(end, range[1])])
    .filter(([start, end]) => end > start);
}

/** 0 to 1: how likely two slots are one instrument, by their time within `range` and by their hits. */
export function likeness(one: Slot, other: Slot, range: Span): number {
  const time = overlap(within(one.active, range), within(other.active, range));
  const ids = new Set(one.hits.map((hit) => hit.instrument_id));
  const shared = other.hits.filter((hit) => ids.has(hit.instrument_id)).length;
  const all = ids.size + other.hits.length - shared;
  return (0.5 * time.both) / Math.max(time.either, 1e-9) + (0.5 * shared) / Math.max(all, 1);
}

/** The lane of each slot: pairs from the most alike down, each lane and slot at most once. */
function matched(lanes: readonly Lane[], answer: QueryAnswer): Map<Slot, Lane> {
  const pairs = answer.slots
    .flatMap((slot) =>
      lanes.map((lane) => ({ slot, lane, score: likeness(lane.slot, slot, answer.range_seconds) })),
    )
    .filter((pair) => pair.score >= SAME)
    .sort((a, b) => b.score - a.score);
  const laneOfSlot = new Map<Slot, Lane>();
  const taken = new Set<Lane>();
  for (const { slot, lane } of pairs) {
    if (laneOfSlot.has(slot) || taken.has(lane)) continue;
    laneOfSlot.set(slot, lane);
    taken.add(lane);
  }
  return laneOfSlot;
}

/** The lanes of a new answer. Locked lanes stay as they are, where their slot is now, or first if it is not heard any more. */
export function lanesOf(answer: QueryAnswer, before: readonly Lane[]): Lane[] {
  const laneOfSlot = matched(before, answer);
  const kept = new Set(laneOfSlot.values());
  const left = before.filter((lane) => lane.locked && !kept.has(lane));
  const used = new Set([...left, ...kept].map((lane) => lane.colour));
  const lanes = answer.slots.map((slot): Lane => {
    const old = laneOfSlot.get(slot);
    if (old?.locked) return old;
    const key = old?.key ?? `${answer.id}:${slot.slot}`;
    const colour = old?.colour ?? freeColour(used);
    used.add(colour);
    return { key, range: answer.range_seconds, slot, colour, locked: false, like: null };
  });
  return [...left, ...lanes];
}

function freeColour(used: ReadonlySet<number>): number {
  for (let colour = 1; colour <= COLOURS; colour++) if (!used.has(colour)) return colour;
  return (used.size % COLOURS) + 1;
}

/** The choice for new lanes: what was chosen and is still listed; in lanes without one, the best hit if it is close. */
export function choicesOf(lanes: readonly Lane[], before: ReadonlySet<string>): Set<string> {
  const chosen = new Set<string>();
  for (const lane of lanes) {
    const kept = lane.slot.hits.map((hit) => choiceOf(lane, hit)).filter((choice) => before.has(choice));
    if (lane.locked) for (const choice of before) if (choice.startsWith(`${lane.key} `)) kept.push(choice);
    const [best] = lane.slot.hits;
    if (!kept.length && best && lane.slot.close && !lane.locked) kept.push(choiceOf(lane, best));
    for (const choice of kept) chosen.add(choice);
  }
  return chosen;
}
