/** Asks the service: a new track, the same track again with another part, library or family, or a stored query.
 * One question runs at a time, a newer one cancels it; when the server goes away the question waits for it. */
import { getQuery, ask as send } from "../api/client";
import { ApiProblem, isAbort, ServerAway } from "../api/problem";
import type { QueryAnswer, Question, Span } from "../api/types";
import { currentLibrary } from "../state/libraries";
import { mode, topK } from "../state/preferences";
import { serverState, serverThere, until } from "../state/server";
import { choicesOf, lanesOf } from "./lanes";
import { EMPTY, type Phase, phase, problem, type Shown, show, shown } from "./state";

let running: AbortController | null = null;

/** Stop what runs; everything shown stays. */
export function cancel(): void {
  running?.abort();
  running = null;
  phase.value = null;
}

/** A new track: shown at once, asked about at once. */
export function takeFile(file: File): void {
  const source = { name: file.name, file, url: URL.createObjectURL(file) }; // kept: undo may bring it back
  show({ ...EMPTY, source, family: shown.value.family });
  void askNow();
}

/** Ask about the shown track with what is selected now. Resolves when it is answered, cancelled or has failed. */
export async function askNow(): Promise<void> {
  const { source } = shown.value;
  if (!source) return;
  cancel();
  const controller = new AbortController();
  running = controller;
  problem.value = null;
  try {
    const answer = await answered(shown.value, controller.signal);
    if (running === controller) take(answer);
  } catch (error) {
    if (!isAbort(error) && running === controller) problem.value = error;
  } finally {
    if (running === controller) {
      running = null;
      phase.value = null;
    }
  }
}

/** Put `answer` in the place of the one before: lanes that are the same instrument stay the same lane. */
function take(answer: QueryAnswer): void {
  const lanes = lanesOf(answer, shown.value.lanes);
  show({ answer, lanes, chosen: choicesOf(lanes, shown.value.chosen) });
}

async function answered(now: Shown, signal: AbortSignal): Promise<QueryAnswer> {
  const name = now.source?.name ?? "";
  for (;;) {
    await prepared(signal);
    const again = Boolean(now.answer);
    try {
      tell(again ? "Listening again…" : `Sending ${name}`, again ? null : 0);
      return await send(questionOf(now), {
        signal,
        onProgress: (share) =>
          tell(
            again || share >= 1 ? `Listening to ${name}…` : `Sending ${name}`,
            again || share >= 1 ? null : share,
          ),
        onWait: (busy, seconds) =>
          tell(`${busy.document.title}: trying again in ${Math.ceil(seconds)} s…`, null),
      });
    } catch (error) {
      if (error instanceof ServerAway) {
        tell("The server is away: the question is kept and asked once it is back.", null);
        await until(() => serverThere.value, signal);
      } else if (isForgotten(error) && now.answer && now.source?.file) {
        now = { ...now, answer: null }; // the service keeps only so many; the file is still here
      } else throw error;
    }
  }
}

/** The default library is enrolled at the first start; a question to it waits until it is there. */
async function prepared(signal: AbortSignal): Promise<void> {
  const waits = () => serverState.value === "preparing" && (currentLibrary.value?.default ?? true);
  if (!waits()) return;
  tell("Waiting for the default library to be ready…", null);
  await until(() => !waits(), signal);
}

const isForgotten = (error: unknown) => error instanceof ApiProblem && error.kind === "query-not-found";

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
export async function openStored(id: string): Promise<void> {
  cancel();
  const controller = new AbortController();
  running = controller;
  problem.value = null;
  tell("Opening the query…", null);
  try {
    const answer = await getQuery(id, { signal: controller.signal });
    const source = { name: answer.name, file: null, url: answer.audio_url };
    const lanes = lanesOf(answer, []);
    show({
      ...EMPTY,
      source,
      answer,
      lanes,
      selection: selectionOf(answer),
      chosen: choicesOf(lanes, new Set()),
    });
  } catch (error) {
    if (!isAbort(error)) problem.value = error;
  } finally {
    if (running === controller) {
      running = null;
      phase.value = null;
    }
  }
}

/** The part that was asked about; null when it was (to a tenth of a second) the whole track. */
function selectionOf(answer: QueryAnswer): Span | null {
  const [start, end] = answer.range_seconds;
  return start < 0.1 && end > answer.duration_seconds - 0.1 ? null : [start, end];
}
