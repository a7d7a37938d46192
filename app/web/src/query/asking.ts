/** Asks the service: a new track, the same track again with another part, library or family, or a stored query.
 * One question runs at a time, a newer one cancels it; when the server goes away the question waits for it. */
import { getQuery, ask as send } from "../api/client";
import { ApiProblem, isAbort, ServerAway } from "../api/problem";
import type { QueryAnswer, Question, Span } from "../api/types";
import { chooseLibrary, currentLibrary } from "../state/libraries";
import { mode, topK } from "../state/preferences";
import { readiness, serverState, serverThere, until } from "../state/server";
import { undoable } from "../state/toasts";
import { choicesOf, lanesOf } from "./lanes";
import { EMPTY, type Phase, phase, problem, retry, type Shown, show, shown } from "./state";

let running: AbortController | null = null;

/** Stop what runs; everything shown stays. */
export function cancel(): void {
  running?.abort();
  running = null;
  phase.value = null;
}

/** A new track: shown at once, asked about at once. When that fails, what was shown before it comes back. */
export async function takeFile(file: File): Promise<void> {
  const before = shown.value;
  const source = { name: file.name, file, url: URL.createObjectURL(file) }; // kept: undo may bring it back
  show({ ...EMPTY, source, family: before.family });
  const error = await askNow();
  if (!before.source) return;
  if (error === null) undoable("another track", () => back(before), true);
  else if (shown.value.source === source) {
    show(before);
    retry.value = () => void takeFile(file);
  }
}

function back(before: Shown): void {
  cancel();
  problem.value = null;
  show(before);
}

/** Ask about the shown track with what is selected now. Resolves when it is answered or cancelled (null), or has failed. */
export function askNow(): Promise<unknown> {
  if (!shown.value.source) return Promise.resolve(null);
  return alone(async (signal) => {
    const answer = await answered(shown.value, signal);
    if (!signal.aborted) take(answer);
  });
}

/** Do what asks the service, as the one thing that runs; its error is shown, and returned. */
async function alone(work: (signal: AbortSignal) => Promise<void>): Promise<unknown> {
  cancel();
  const controller = new AbortController();
  running = controller;
  problem.value = null;
  retry.value = () => void askNow();
  try {
    await work(controller.signal);
  } catch (error) {
    if (isAbort(error) || running !== controller) return null;
    problem.value = error;
    return error;
  } finally {
    if (running === controller) {
      running = null;
      phase.value = null;
    }
  }
  return null;
}

/** Put `answer` in the place of the one before: lanes that are the same instrument stay the same lane. */
function take(answer: QueryAnswer): void {
  const lanes = lanesOf(answer, shown.value.lanes);
  show({ answer, lanes, chosen: choicesOf(lanes, shown.value.chosen) });
}

async function answered(now: Shown, signal: AbortSignal): Promise<QueryAnswer> {
  await prepared(signal);
  try {
    return await patiently(() => sent(now, signal), signal);
  } catch (error) {
    const forgotten = error instanceof ApiProblem && error.kind === "query-not-found";
    if (!forgotten || !now.answer || !now.source?.file) throw error;
    return answered({ ...now, answer: null }, signal); // the service keeps only so many, but the file is still here
  }
}

/** Do `work`, again and again while the server is away. */
async function patiently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ServerAway)) throw error;
      tell("Asked again once the server is back", null);
      await until(() => serverThere.value, signal);
    }
  }
}

function sent(now: Shown, signal: AbortSignal): Promise<QueryAnswer> {
  const name = now.source?.name ?? "the track";
  const listening = () => tell(`Listening to ${name}…`, null);
  if (now.answer) listening();
  else tell(`Sending ${name}`, 0);
  return send(questionOf(now), {
    signal,
    onProgress: (share) => (now.answer || share >= 1 ? listening() : tell(`Sending ${name}`, share)),
    onWait: (busy, seconds) => tell(`${busy.document.title}: trying again in ${Math.ceil(seconds)} s…`, null),
  });
}

/** The default library is enrolled at the first start; a question to it waits until it is there. */
async function prepared(signal: AbortSignal): Promise<void> {
  const waits = () =>
    serverState.value === "preparing" &&
    readiness.value?.progress?.state !== "failed" &&
    (currentLibrary.value?.default ?? true);
  if (!waits()) return;
  tell("Waiting for the default library to be ready…", null);
  await until(() => !waits(), signal);
}

function tell(text: string, share: Phase["share"]): void {
  phase.value = { text, share };
}

function questionOf(now: Shown): Question {
  const whose = now.answer
    ? { query: now.answer.id }
    : { ...(now.source?.file ? { file: now.source.file } : {}), fileName: now.source?.name ?? "track" };
  return {
    ...whose,
    library: currentLibrary.value?.id ?? null,
    topK: topK.value,
    mode: mode.value,
    range: now.selection,
    family: now.family,
    exclude: [...now.excluded.keys()],
  };
}

/** Show a stored query, as its permanent link does. */
export function openStored(id: string): Promise<unknown> {
  return alone(async (signal) => {
    tell("Opening the query…", null);
    retry.value = () => void openStored(id);
    const answer = await patiently(() => getQuery(id, { signal }), signal);
    const source = { name: answer.name, file: null, url: answer.audio_url };
    const lanes = lanesOf(answer, []);
    chooseLibrary(answer.library.id); // the next question goes to the same one, if it is still there
    show({
      ...EMPTY,
      source,
      answer,
      lanes,
      selection: selectionOf(answer),
      chosen: choicesOf(lanes, new Set()),
    });
  });
}

/** The part that was asked about; null when it was (to a tenth of a second) the whole track. */
function selectionOf(answer: QueryAnswer): Span | null {
  const [start, end] = answer.range_seconds;
  return start < 0.1 && end > answer.duration_seconds - 0.1 ? null : [start, end];
}
