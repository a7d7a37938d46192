/** User actions on an answer, each with undo: choose, lock, hide, more like this, filter, change library.
 * Undo restores the whole previous state and its address without a request. */
import { getSimilar } from "../api/client";
import type { Hit, Span } from "../api/types";
import { chooseLibrary, currentLibrary } from "../state/libraries";
import { mode, topK } from "../state/preferences";
import { offerUndo, showProblem } from "../state/toasts";
import { choiceKey, type Lane } from "./lanes";
import { cancelQuery, runQuery } from "./runQuery";
import { type QueryState, queryProblem, queryState, updateState } from "./state";

/** Update the state with undo; `asks`: a query follows, which undo cancels. */
function applyUndoable(text: string, next: Partial<QueryState>, asks = false, quiet = true): void {
  const before = queryState.value;
  const library = currentLibrary.value?.id;
  updateState(next);
  offerUndo(
    text,
    () => {
      if (asks) cancelQuery();
      queryProblem.value = null;
      updateState(before);
      if (library) chooseLibrary(library);
    },
    quiet,
  );
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
  applyUndoable(there ? `${hit.name} removed from the export` : `${hit.name} chosen`, { chosen });
}

/** Lock or unlock a lane; new answers do not change a locked lane. */
export function toggleLock(lane: Lane): void {
  applyUndoable(lane.locked ? "lane unlocked" : "lane locked", withLane(lane, { locked: !lane.locked }));
}

/** List instruments similar to this hit instead of the lane's own hits. */
export async function showMoreLike(lane: Lane, hit: Hit): Promise<void> {
  try {
    const { items } = await getSimilar(hit.instrument_id, topK.value);
    applyUndoable(`more like ${hit.name}`, withLane(lane, { like: { hit, hits: items } }));
  } catch (error) {
    showProblem(error);
  }
}

/** Return to the lane's own hits. */
export function showOwnHits(lane: Lane): void {
  applyUndoable("back to the lane's own matches", withLane(lane, { like: null }));
}

/** Hide a hit for this track; the next best takes its place. */
export function hideHit(lane: Lane, hit: Hit): void {
  const excluded = new Map(queryState.value.excluded).set(hit.instrument_id, hit.name);
  const chosen = new Set(queryState.value.chosen);
  chosen.delete(choiceKey(lane, hit));
  applyUndoable(`${hit.name} hidden for this track`, { excluded, chosen }, true, false);
  void runQuery();
}

/** Show all hidden instruments again. */
export function showHidden(): void {
  applyUndoable("hidden instruments shown again", { excluded: new Map() }, true);
  void runQuery();
}

/** Query this span only; null: the whole track. */
export function selectSpan(selection: Span | null): void {
  applyUndoable(selection ? "selection" : "whole track", { selection }, true);
  void runQuery();
}

/** Query for hits of this family only; null: any, sound effects only with `effects`. */
export function filterByFamily(family: string | null, effects = false): void {
  applyUndoable("family filter", { family, effects }, true);
  void runQuery();
}

/** Query another library. Hidden instruments belonged to the previous one. */
export function changeLibrary(id: string): void {
  applyUndoable("library", { excluded: new Map() }, true);
  chooseLibrary(id);
  void runQuery();
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
