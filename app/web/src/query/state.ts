/** The state of the query view as one immutable value; undo restores an earlier one.
 * Separate signals hold transient state: progress, problem, current lane. */
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type { QueryAnswer, Span } from "../api/types";
import { type DecodedAudio, decodeAudio, fetchDecoded } from "../audio/decode";
import { type Loadable, levels, loadReference } from "../audio/player";
import { navigate, route } from "../state/route";
import type { Lane } from "./lanes";

export interface Source {
  name: string;
  file: File | null; // null: only the service has the audio
  url: string; // for the player
}

export interface QueryState {
  source: Source | null;
  answer: QueryAnswer | null;
  lanes: readonly Lane[];
  selection: Span | null; // seconds; null: the whole track
  family: string | null;
  effects: boolean; // whether sound effects may be hits
  excluded: ReadonlyMap<string, string>; // id → name of instruments hidden for this track
  chosen: ReadonlySet<string>; // see choiceKey
  decided: ReadonlySet<string>; // keys of the lanes in which the user has chosen; elsewhere choices are suggestions
}

export const EMPTY_STATE: QueryState = {
  source: null,
  answer: null,
  lanes: [],
  selection: null,
  family: null,
  effects: false,
  excluded: new Map(),
  chosen: new Set(),
  decided: new Set(),
};

/** A lane heard alone (`solo`), or the track without it (`mute`). */
export interface Isolation {
  lane: string; // its key
  how: "solo" | "mute";
  start: number; // of the isolated range, in seconds of the track
  decoded: DecodedAudio | null; // for its loudness; null: this browser cannot decode it
}

export interface QueryProgress {
  text: string;
  share: number | null; // of the upload; null: unknown
}

export const queryState = signal<QueryState>(EMPTY_STATE);
/** Progress of the running query; null if none runs. */
export const queryProgress = signal<QueryProgress | null>(null);
/** The last problem: a thrown error or rejected input. */
export const queryProblem = signal<unknown>(null);
/** The action of the "Try again" button. */
export const retry = signal<() => void>(() => undefined);
/** The key of the lane that ↑, ↓ and 1–9 act on. */
export const currentLane = signal<string | null>(null);
/** The choice (see choiceKey) whose reason is shown; null: none. */
export const explained = signal<string | null>(null);
/** The decoded reference for drawing; null: not loaded yet; false: this browser cannot decode it. */
export const decodedTrack = signal<DecodedAudio | null | false>(null);
/** The lane that plays in the track's place, or is left out of it; null: the track itself. */
export const isolation = signal<Isolation | null>(null);
/** Whether the time axis is zoomed to the selection. */
export const zoomed = signal(false);

/** The track's length in seconds: from the service, else from the browser; 0 if unknown. */
export const duration = computed(() => {
  const { answer } = queryState.value;
  return answer?.duration_seconds ?? (decodedTrack.value ? decodedTrack.value.duration : 0);
});

/** The span that the time axis shows. */
export const visibleSpan = computed<Span>(() => {
  const { selection } = queryState.value;
  const end = Math.max(duration.value, 0.001);
  if (!zoomed.value || !selection) return [0, end];
  const margin = 0.08 * (selection[1] - selection[0]);
  return [Math.max(0, selection[0] - margin), Math.min(end, selection[1] + margin)];
});

/** Update the state; the address follows the answer. */
export function updateState(next: Partial<QueryState>): void {
  const before = queryState.value;
  batch(() => {
    queryState.value = { ...before, ...next };
    if (!queryState.value.selection) zoomed.value = false;
  });
  const id = queryState.value.answer?.id ?? null;
  if (id !== (before.answer?.id ?? null) && route.value.view === "query") navigate("query", id);
}

const source = computed(() => queryState.value.source);
const decodings = new WeakMap<Source, Promise<DecodedAudio | null>>();

// A new source is loaded into the player, and decoded once for drawing.
effect(() => {
  const current = source.value;
  untracked(() => takeSource(current));
});

/** The bytes of a source, for a loop. */
function loadable({ file, url }: Source): Loadable {
  return { url, bytes: () => file?.arrayBuffer() ?? fetch(url).then((answer) => answer.arrayBuffer()) };
}

function takeSource(current: Source | null): void {
  loadReference(current && loadable(current));
  isolation.value = null;
  decodedTrack.value = null;
  levels.value = { reference: 1, preview: 1 };
  if (!current) return;
  const known = decodings.get(current);
  const decoding =
    known ?? (current.file ? current.file.arrayBuffer().then(decodeAudio) : fetchDecoded(current.url));
  decodings.set(current, decoding);
  void decoding
    .catch(() => null)
    .then((result) => {
      if (source.peek() === current) decodedTrack.value = result ?? false;
    });
}
