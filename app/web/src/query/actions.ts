/** User actions on an answer, each with undo: choose, lock, hide, more like this, filter, change library.
 * Undo takes back what the action changed, and keeps what was done after it. */
import { getSimilar } from "../api/client";
import { ApiProblem, InvalidInput } from "../api/problem";
import type { Directions, Hit, Span } from "../api/types";
import { chooseLibrary, currentLibrary } from "../state/libraries";
import { mode, topK } from "../state/preferences";
import { offerUndo, showProblem } from "../state/toasts";
import { choiceKey, type Lane } from "./lanes";
import { cancelQuery, runQuery } from "./runQuery";
import { type QueryState, queryProblem, queryState, updateState } from "./state";
import { answeredWith, type Moment, withoutChange } from "./undo";

const UNANSWERING = ["library-empty", "library-not-found"]; // problems of a library that has no answer to any question

interface Change {
  text: string; // what is undone
  state: Partial<QueryState>;
  library?: string; // id
}

/** A change that can be undone: the moments before and after it, and how to withdraw its undo. */
interface Applied {
  before: Moment;
  after: Moment;
  error: unknown; // of the question that followed; null: answered, cancelled, or none was asked
  withdraw: () => void;
}

function moment(): Moment {
  return {
    state: queryState.value,
    library: currentLibrary.value?.id ?? null,
    topK: topK.value,
    mode: mode.value,
  };
}

/** Apply a change with undo; `quiet` adds no toast. */
function apply({ text, state, library }: Change, quiet = true): Applied {
  const before = moment();
  updateState(state);
  if (library) chooseLibrary(library);
  const applied: Applied = { before, after: moment(), error: null, withdraw: () => undefined };
  applied.withdraw = offerUndo(text, () => undo(text, applied.before, applied.after), quiet);
  return applied;
}

/** Apply a change of the question with undo, and ask it; its answer is part of the change. */
async function applyAndAsk(change: Change, quiet = true): Promise<Applied> {
  const applied = apply(change, quiet);
  const { after } = applied;
  applied.error = await runQuery();
  const { answer } = queryState.value;
  if (answer && answer !== after.state.answer)
    applied.after = { ...after, state: { ...after.state, ...answeredWith(answer, after.state) } };
  return applied;
}

/** Take one change back; what was done since stays. The answer from before returns if it fits, else the question is asked. */
function undo(text: string, before: Moment, after: Moment): void {
  const now = moment();
  if (now.state.source !== after.state.source)
    throw new InvalidInput(
      `Not undone: ${text}.`,
      `It belongs to ${after.state.source?.name ?? "another track"}.`,
    );
  const { state, library, asks, isAnswered } = withoutChange(before, after, now);
  if (asks) {
    cancelQuery();
    queryProblem.value = null;
  }
  updateState(state);
  if (library) chooseLibrary(library);
  if (!isAnswered) void runQuery();
}

function withLane(lane: Lane, next: Partial<Lane>): Partial<QueryState> {
  return {
    lanes: queryState.value.lanes.map((other) => (other.key === lane.key ? { ...other, ...next } : other)),
  };
}

/** Add a hit to the chosen set, or remove it. */
export function toggleChoice(lane: Lane, hit: Hit): void {
  const chosen = new Set(queryState.value.chosen);
  const choice = choiceKey(lane, hit);
  const there = chosen.delete(choice);
  if (!there) chosen.add(choice);
  const decided = new Set(queryState.value.decided).add(lane.key);
  const text = there ? `${hit.name} removed from the export` : `${hit.name} chosen`;
  apply({ text, state: { chosen, decided } });
}

/** Lock or unlock a lane; new answers do not change a locked lane. */
export function toggleLock(lane: Lane): void {
  const text = lane.locked ? "lane unlocked" : "lane locked";
  apply({ text, state: withLane(lane, { locked: !lane.locked }) });
}

/** List instruments similar to this hit instead of the lane's own hits. */
export async function showMoreLike(lane: Lane, hit: Hit): Promise<void> {
  try {
    const { items } = await getSimilar(hit.instrument_id, topK.value);
    apply({ text: `more like ${hit.name}`, state: withLane(lane, { like: { hit, hits: items } }) });
  } catch (error) {
    showProblem(error);
  }
}

let asking = 0; // how many directions were asked for

/** Look for the instruments similar to a lane's hit in other directions. */
export async function moveLike(lane: Lane, to: Directions): Promise<void> {
  const { like } = lane;
  if (!like) return;
  asking += 1;
  const asked = asking;
  try {
    const { items } = await getSimilar(like.hit.instrument_id, topK.value, to);
    if (asked !== asking) return; // the slider was moved again meanwhile
    const hits = { hit: like.hit, hits: items, to };
    apply({ text: `direction from ${like.hit.name}`, state: withLane(lane, { like: hits }) });
  } catch (error) {
    showProblem(error);
  }
}

/** Return to the lane's own hits. */
export function showOwnHits(lane: Lane): void {
  apply({ text: "back to the lane's own matches", state: withLane(lane, { like: null }) });
}

/** Hide a hit for this track; the next best takes its place. */
export function hideHit(lane: Lane, hit: Hit): void {
  const excluded = new Map(queryState.value.excluded).set(hit.instrument_id, hit.name);
  const chosen = new Set(queryState.value.chosen);
  chosen.delete(choiceKey(lane, hit));
  void applyAndAsk({ text: `${hit.name} hidden for this track`, state: { excluded, chosen } }, false);
}

/** Show all hidden instruments again. */
export function showHidden(): void {
  void applyAndAsk({ text: "hidden instruments shown again", state: { excluded: new Map() } });
}

/** Query this span only; null: the whole track. */
export function selectSpan(selection: Span | null): void {
  void applyAndAsk({ text: selection ? "selection" : "whole track", state: { selection } });
}

/** Query for hits of this family only; null: any, sound effects only with `effects`. */
export function filterByFamily(family: string | null, effects = false): void {
  void applyAndAsk({ text: "family filter", state: { family, effects } });
}

/** Query another library; hidden instruments belonged to the previous one. One that cannot answer is not chosen. */
export async function changeLibrary(id: string): Promise<void> {
  const change: Change = { text: "library", state: { excluded: new Map() }, library: id };
  const { before, error, withdraw } = await applyAndAsk(change);
  const cannotAnswer = error instanceof ApiProblem && UNANSWERING.includes(error.kind);
  if (!cannotAnswer || !before.library || currentLibrary.value?.id !== id) return;
  chooseLibrary(before.library);
  updateState({ excluded: before.state.excluded });
  withdraw();
}

/** Change the number of hits per lane. */
export function changeTopK(count: number): void {
  topK.value = count;
  void runQuery();
}

export function changeMode(next: "auto" | "paper"): void {
  mode.value = next;
  void runQuery();
}
