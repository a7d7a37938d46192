/** Runs queries: a new track, the same track with other options, or a stored query.
 * Only one query runs at a time; a newer one cancels it. While the server is away, the query waits. */
import { createQuery, getQuery } from "../api/client";
import { ApiProblem, isAbort, ServerAway } from "../api/problem";
import type { Job, QueryAnswer, Question, Span } from "../api/types";
import { followUpdate } from "../library/updates";
import { chooseLibrary, currentLibrary } from "../state/libraries";
import { mode, topK } from "../state/preferences";
import { readiness, serverState, serverThere, until } from "../state/server";
import { offerUndo } from "../state/toasts";
import {
  EMPTY_STATE,
  type QueryProgress,
  type QueryState,
  queryProblem,
  queryProgress,
  queryState,
  retry,
  updateState,
} from "./state";
import { answeredWith } from "./undo";

let running: AbortController | null = null;

/** Cancel the running query; the current answer stays. */
export function cancelQuery(): void {
  running?.abort();
  running = null;
  queryProgress.value = null;
}

/** Show a new track and query it. If that fails, the previous track returns. */
export async function queryFile(file: File): Promise<void> {
  const before = queryState.value;
  const source = { name: file.name, file, url: URL.createObjectURL(file) }; // not revoked: undo may need it
  updateState({ ...EMPTY_STATE, source, family: before.family, effects: before.effects });
  const error = await runQuery();
  if (!before.source) return;
  if (error === null) offerUndo("new track", () => restoreState(before), true);
  else if (queryState.value.source === source) {
    updateState(before);
    retry.value = () => void queryFile(file);
  }
}

function restoreState(before: QueryState): void {
  cancelQuery();
  queryProblem.value = null;
  updateState(before);
}

/** Query the current track with the current options. Resolves with null when answered or cancelled, else the error. */
export function runQuery(): Promise<unknown> {
  if (!queryState.value.source) return Promise.resolve(null);
  return runExclusively(async (signal) => {
    const answer = await fetchAnswer(queryState.value, signal);
    if (!signal.aborted) updateState(answeredWith(answer, queryState.value));
  });
}

/** Run `work` as the only query. An error is shown and returned. */
async function runExclusively(work: (signal: AbortSignal) => Promise<void>): Promise<unknown> {
  cancelQuery();
  const controller = new AbortController();
  running = controller;
  queryProblem.value = null;
  retry.value = () => void runQuery();
  try {
    await work(controller.signal);
  } catch (error) {
    if (isAbort(error) || running !== controller) return null;
    queryProblem.value = error;
    return error;
  } finally {
    if (running === controller) {
      running = null;
      queryProgress.value = null;
    }
  }
  return null;
}

async function fetchAnswer(now: QueryState, signal: AbortSignal): Promise<QueryAnswer> {
  await waitForDefaultLibrary(signal);
  await waitForUpdate(signal);
  try {
    return await retryWhileAway(() => sendQuestion(now, signal), signal);
  } catch (error) {
    const forgotten = error instanceof ApiProblem && error.kind === "query-not-found";
    if (!forgotten || !now.answer || !now.source?.file) throw error;
    return fetchAnswer({ ...now, answer: null }, signal); // the service deleted an old query, but the file is still here
  }
}

/** Run `work`; repeat it when the server returns. */
async function retryWhileAway<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ServerAway)) throw error;
      showProgress("The query continues when the server is back", null);
      await until(() => serverThere.value, signal);
    }
  }
}

function sendQuestion(now: QueryState, signal: AbortSignal): Promise<QueryAnswer> {
  const name = now.source?.name ?? "the track";
  const listening = () => showProgress(`Listening to ${name}…`, null);
  if (now.answer) listening();
  else showProgress(`Sending ${name}`, 0);
  return createQuery(questionOf(now), {
    signal,
    onProgress: (share) => (now.answer || share >= 1 ? listening() : showProgress(`Sending ${name}`, share)),
    onWait: (busy, seconds) =>
      showProgress(`${busy.document.title}: trying again in ${Math.ceil(seconds)} s…`, null),
  });
}

/** Wait while the default library is enrolled at first start. */
async function waitForDefaultLibrary(signal: AbortSignal): Promise<void> {
  const waits = () =>
    serverState.value === "preparing" &&
    readiness.value?.progress?.state !== "failed" &&
    (currentLibrary.value?.default ?? true);
  if (!waits()) return;
  showProgress("Waiting for the default library…", null);
  await until(() => !waits(), signal);
}

/** Wait while a library that another encoder made is updated, since none of it can be searched. */
async function waitForUpdate(signal: AbortSignal): Promise<void> {
  const library = currentLibrary.value;
  if (library?.state !== "stale" || !library.update_job) return;
  const show = (job: Job) =>
    showProgress(`Updating “${library.name}” first`, job.total ? job.done / job.total : null);
  await followUpdate(library.id, library.update_job, show, signal);
}

function showProgress(text: string, share: QueryProgress["share"]): void {
  queryProgress.value = { text, share };
}

function questionOf(now: QueryState): Question {
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
    effects: now.effects,
  };
}

/** Open a stored query, for its permanent link. */
export function openStoredQuery(id: string): Promise<unknown> {
  return runExclusively(async (signal) => {
    showProgress("Opening the query…", null);
    retry.value = () => void openStoredQuery(id);
    const answer = await retryWhileAway(() => getQuery(id, { signal }), signal);
    const source = { name: answer.name, file: null, url: answer.audio_url };
    chooseLibrary(answer.library.id); // for the next query, if the library still exists
    updateState({
      ...EMPTY_STATE,
      source,
      selection: selectionOf(answer),
      family: answer.family,
      ...answeredWith(answer, EMPTY_STATE),
    });
  });
}

/** The queried range; null if it was the whole track, within 0.1 s. */
function selectionOf(answer: QueryAnswer): Span | null {
  const [start, end] = answer.range_seconds;
  return start < 0.1 && end > answer.duration_seconds - 0.1 ? null : [start, end];
}
