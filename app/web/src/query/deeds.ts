/** What the user does to an answer, each undoable: choose, lock, refuse, look for more alike, narrow, change the library.
 * Undo puts back the whole value that was shown before, with its address; no request is needed for it. */
import { getSimilar } from "../api/client";
import type { Hit, Span } from "../api/types";
import { chooseLibrary, currentLibrary } from "../state/libraries";
import { mode, topK } from "../state/preferences";
import { sayProblem, undoable } from "../state/toasts";
import { askNow, cancel } from "./asking";
import { choiceOf, type Lane } from "./lanes";
import { problem, type Shown, show, shown } from "./state";

/** Change what is shown, so that undo changes it back; `asks` when a question follows, which undo then cancels. */
function change(text: string, next: Partial<Shown>, asks = false, quiet = true): void {
  const before = shown.value;
  const library = currentLibrary.value?.id;
  show(next);
  undoable(
    text,
    () => {
      if (asks) cancel();
      problem.value = null;
      show(before);
      if (library) chooseLibrary(library);
    },
    quiet,
  );
}

function withLane(lane: Lane, next: Partial<Lane>): Partial<Shown> {
  return {
    lanes: shown.value.lanes.map((other) => (other.key === lane.key ? { ...other, ...next } : other)),
  };
}

/** Put a hit into the chosen set, or take it out. */
export function toggleChoice(lane: Lane, hit: Hit): void {
  const chosen = new Set(shown.value.chosen);
  const choice = choiceOf(lane, hit);
  const there = chosen.delete(choice);
  if (!there) chosen.add(choice);
  change(there ? `${hit.name} left out` : `${hit.name} chosen`, { chosen });
}

/** Lock a lane: new answers leave it as it is. */
export function toggleLock(lane: Lane): void {
  change(lane.locked ? "lane unlocked" : "lane locked", withLane(lane, { locked: !lane.locked }));
}

/** List what sounds like this hit in place of the lane's hits. */
export async function moreLike(lane: Lane, hit: Hit): Promise<void> {
  try {
    const { items } = await getSimilar(hit.instrument_id, topK.value);
    change(`more like ${hit.name}`, withLane(lane, { like: { hit, hits: items } }));
  } catch (error) {
    sayProblem(error);
  }
}

/** Back to the lane's own hits. */
export function lessLike(lane: Lane): void {
  change("back to the lane's own hits", withLane(lane, { like: null }));
}

/** Refuse a hit for this track: it goes at once, and the next best takes its place. */
export function notThis(lane: Lane, hit: Hit): void {
  const excluded = new Map(shown.value.excluded).set(hit.instrument_id, hit.name);
  const chosen = new Set(shown.value.chosen);
  chosen.delete(choiceOf(lane, hit));
  change(`${hit.name} left out for this track`, { excluded, chosen }, true, false);
  void askNow();
}

/** Let everything back in that was refused. */
export function allowAll(): void {
  change("refused instruments allowed again", { excluded: new Map() }, true);
  void askNow();
}

/** Ask about this part only; null is the whole track. */
export function select(selection: Span | null): void {
  change(selection ? "selection" : "whole track", { selection }, true);
  void askNow();
}

/** Only hits of this family; null is any. */
export function filterFamily(family: string | null): void {
  change("family filter", { family }, true);
  void askNow();
}

/** Ask another library. What was refused was refused in the other one. */
export function askLibrary(id: string): void {
  change("library", { excluded: new Map() }, true);
  chooseLibrary(id);
  void askNow();
}

/** How many hits per lane, and by which rule. */
export function askMany(count: number): void {
  topK.value = count;
  void askNow();
}

export function askMode(next: "auto" | "paper"): void {
  mode.value = next;
  void askNow();
}
