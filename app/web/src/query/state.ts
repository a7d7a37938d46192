/** What the query view shows, as one value that is only ever replaced: undo is to put an earlier one back.
 * Beside it stand what passes: the phase of a running query, a problem, the lane that has the keys. */
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type { QueryAnswer, Span } from "../api/types";
import { type Decoded, decoded, decodedFrom } from "../audio/decode";
import { levels, loadReference } from "../audio/player";
import { navigate, route } from "../state/route";
import type { Lane } from "./lanes";

export interface Source {
  name: string;
  file: File | null; // null: only the service has it
  url: string; // what the player plays
}

export interface Shown {
  source: Source | null;
  answer: QueryAnswer | null;
  lanes: readonly Lane[];
  selection: Span | null; // seconds; null is the whole track
  family: string | null;
  excluded: ReadonlyMap<string, string>; // id → name of what was refused for this track
  chosen: ReadonlySet<string>; // see choiceOf
}

export const EMPTY: Shown = {
  source: null,
  answer: null,
  lanes: [],
  selection: null,
  family: null,
  excluded: new Map(),
  chosen: new Set(),
};

export interface Phase {
  text: string;
  share: number | null; // of the upload; null: it cannot be told how long
}

export const shown = signal<Shown>(EMPTY);
/** What a running query does; null when none runs. */
export const phase = signal<Phase | null>(null);
/** What went wrong last: a thrown error, or a refusal in words. */
export const problem = signal<unknown>(null);
/** What "Try again" does about it. */
export const retry = signal<() => void>(() => undefined);
/** The lane that ↑ and ↓ move and that 1–9 play. */
export const currentLane = signal<string | null>(null);
/** The decoded reference for drawing; null: not (yet) there; false: this browser cannot decode it. */
export const drawing = signal<Decoded | null | false>(null);
/** Whether the time axis shows the selection only. */
export const zoomed = signal(false);

/** Length of the track in seconds: the service's word, else the browser's; 0 when neither knows. */
export const duration = computed(() => {
  const { answer } = shown.value;
  return answer?.duration_seconds ?? (drawing.value ? drawing.value.duration : 0);
});

/** The part of the track that the time axis shows. */
export const view = computed<Span>(() => {
  const { selection } = shown.value;
  const end = Math.max(duration.value, 0.001);
  if (!zoomed.value || !selection) return [0, end];
  const margin = 0.08 * (selection[1] - selection[0]);
  return [Math.max(0, selection[0] - margin), Math.min(end, selection[1] + margin)];
});

/** Show something else; the address follows when the answer is another. */
export function show(next: Partial<Shown>): void {
  const before = shown.value;
  batch(() => {
    shown.value = { ...before, ...next };
    if (!shown.value.selection) zoomed.value = false;
  });
  const id = shown.value.answer?.id ?? null;
  if (id !== (before.answer?.id ?? null) && route.value.view === "query") navigate("query", id);
}

const source = computed(() => shown.value.source);
const decodings = new WeakMap<Source, Promise<Decoded | null>>();

// Another source: the player takes it, and it is decoded for drawing, once.
effect(() => {
  const current = source.value;
  untracked(() => takeSource(current));
});

function takeSource(current: Source | null): void {
  loadReference(current?.url ?? null);
  drawing.value = null;
  levels.value = { reference: 1, preview: 1 };
  if (!current) return;
  const known = decodings.get(current);
  const decoding =
    known ?? (current.file ? current.file.arrayBuffer().then(decoded) : decodedFrom(current.url));
  decodings.set(current, decoding);
  void decoding
    .catch(() => null)
    .then((result) => {
      if (source.peek() === current) drawing.value = result ?? false;
    });
}
