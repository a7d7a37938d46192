/** Lanes: the instruments of one track, kept across its answers.
 * New slots are matched to existing lanes by time and hits. A matched lane keeps its colour and choice; a locked lane
 * keeps everything. */
import type { Directions, Hit, MatchWord, QueryAnswer, Slot, Span } from "../api/types";
import { familyName } from "../ui/Family";
import { formatCount } from "../ui/format";

export const COLOURS = 8; // --lane-1 … --lane-8
const MIN_SCORE = 0.34; // below this, two slots are different instruments

export interface SimilarHits {
  hit: Hit;
  hits: Hit[]; // nearest first, with their similarity to `hit`
  to?: Directions; // in which they were looked for; left out: in none
}

export interface Lane {
  key: string;
  range: Span; // of the answer that contains the slot
  slot: Slot;
  colour: number; // 1 to COLOURS
  locked: boolean;
  like: SimilarHits | null; // listed instead of the slot's own hits
}

/** The hits to list: the lane's own or similar ones, without hidden ones. */
export function hitsOf(lane: Lane, excluded: ReadonlyMap<string, string>): Hit[] {
  const hits = lane.like?.hits ?? lane.slot.hits;
  return lane.locked ? hits : hits.filter((hit) => !excluded.has(hit.instrument_id));
}

/** The words of a slider's place, for screen readers: `brighter, 50%`. */
export function directionWords(value: number, from: string, to: string): string {
  if (value === 0) return "as it is";
  return `${value < 0 ? from : to}, ${Math.round(100 * Math.abs(value))}%`;
}

/** How good the library's match is in a word; null in answers of older versions, which tell only a match from none. */
export function matchWord(slot: Slot): MatchWord | null {
  return slot.match?.word ?? (slot.close ? null : "none");
}

const SURE = 0.5; // a family that is less probable gets a question mark

export interface LaneFamily {
  name: string;
  sure: boolean;
  told: string; // all families above a tenth, with percentages; empty in answers of older versions
}

/** The family that is heard; null without one. Answers of older versions told it from the hits, which must be matches. */
export function laneFamily(slot: Slot): LaneFamily | null {
  const { family, families } = slot;
  if (!family) return null;
  const probability = families[family];
  if (probability === undefined)
    return slot.close ? { name: familyName(family), sure: true, told: "" } : null;
  const told = Object.entries(families)
    .filter(([name, share]) => share >= 0.1 || name === family)
    .map(([name, share]) => `${familyName(name)} ${Math.round(100 * share)}%`);
  return { name: familyName(family), sure: probability >= SURE, told: `Sounds like ${told.join(", ")}` };
}

/** The key of a choice: one instrument in one lane. */
export function choiceKey(lane: Lane, hit: Hit): string {
  return `${lane.key} ${hit.instrument_id}`;
}

/** Seconds in both lists of spans, and seconds in either. The spans of one list do not overlap. */
export function overlap(one: readonly Span[], other: readonly Span[]): { both: number; either: number } {
  let both = 0;
  for (const [start, end] of one)
    for (const [from, to] of other) both += Math.max(0, Math.min(end, to) - Math.max(start, from));
  const length = (spans: readonly Span[]) => spans.reduce((sum, [start, end]) => sum + end - start, 0);
  return { both, either: length(one) + length(other) - both };
}

/** Clip `spans` to `range`. */
export function clipSpans(spans: readonly Span[], range: Span): Span[] {
  return spans
    .map(([start, end]): Span => [Math.max(start, range[0]), Math.min(end, range[1])])
    .filter(([start, end]) => end > start);
}

/** Score, 0 to 1, that two slots are the same instrument: half by time within `range`, half by shared hits. */
export function sameInstrumentScore(one: Slot, other: Slot, range: Span): number {
  const time = overlap(clipSpans(one.active, range), clipSpans(other.active, range));
  const ids = new Set(one.hits.map((hit) => hit.instrument_id));
  const shared = other.hits.filter((hit) => ids.has(hit.instrument_id)).length;
  const all = ids.size + other.hits.length - shared;
  return (0.5 * time.both) / Math.max(time.either, 1e-9) + (0.5 * shared) / Math.max(all, 1);
}

/** Match slots to lanes greedily, best score first; each slot and lane is used at most once. */
function matchLanes(lanes: readonly Lane[], answer: QueryAnswer): Map<Slot, Lane> {
  const pairs = answer.slots
    .flatMap((slot) =>
      lanes.map((lane) => ({
        slot,
        lane,
        score: sameInstrumentScore(lane.slot, slot, answer.range_seconds),
      })),
    )
    .filter((pair) => pair.score >= MIN_SCORE)
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

/** The lanes of a new answer. A locked lane takes its slot's place, or comes first if its instrument is gone. */
export function lanesOf(answer: QueryAnswer, before: readonly Lane[]): Lane[] {
  const laneOfSlot = matchLanes(before, answer);
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

/** How many instruments an answer has heard, and how many lanes are locked that it has not: `5 instruments heard, 1 locked`. */
export function heardWords(slots: readonly Slot[], lanes: readonly Lane[]): string {
  const heard = slots.length ? `${formatCount(slots.length, "instrument")} heard` : "No instruments heard";
  const more = lanes.length - slots.length;
  return more > 0 ? `${heard}, ${more} locked` : heard;
}

/** The choices for new lanes. A suggestion, the best hit of a fair or strong match, stands until the user decides in its lane;
 * of what was chosen there, all that is still listed stays. `decided` are the keys of such lanes. */
export function carryChoices(
  lanes: readonly Lane[],
  before: ReadonlySet<string>,
  decided: ReadonlySet<string>,
): Set<string> {
  return new Set(lanes.flatMap((lane) => choicesIn(lane, before, decided.has(lane.key))));
}

function choicesIn(lane: Lane, before: ReadonlySet<string>, isDecided: boolean): string[] {
  if (lane.locked) return [...before].filter((choice) => choice.startsWith(`${lane.key} `));
  const listed = lane.slot.hits.map((hit) => choiceKey(lane, hit));
  if (isDecided) return listed.filter((choice) => before.has(choice));
  return isSuggested(lane.slot) ? listed.slice(0, 1) : [];
}

/** Whether a slot's match is worth a suggestion: weak ones are not. */
function isSuggested(slot: Slot): boolean {
  const word = matchWord(slot);
  return word === null ? slot.close : word === "fair" || word === "strong";
}
