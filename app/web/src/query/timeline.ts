/** Which families sound in each tenth of a second of an answer's range.
 * The service is asked once the answer is shown; without it, strips are drawn from the answer's coarser curves. */
import { computed, effect, signal, untracked } from "@preact/signals";
import { getTimeline } from "../api/client";
import type { QueryAnswer, Timeline } from "../api/types";
import { queryState } from "./state";

/** The timeline of the shown answer; null until it is there, or where the service has none. */
export const timeline = signal<Timeline | null>(null);

const answer = computed(() => queryState.value.answer);
let asking: AbortController | null = null;

effect(() => {
  const current = answer.value;
  untracked(() => void takeAnswer(current));
});

async function takeAnswer(current: QueryAnswer | null): Promise<void> {
  asking?.abort();
  timeline.value = null;
  if (!current?.timing_ms.timeline) return; // this service hears no timelines
  const controller = new AbortController();
  asking = controller;
  try {
    const found = await getTimeline(current.id, { signal: controller.signal });
    if (!controller.signal.aborted) timeline.value = found;
  } catch {
    // the audio is no longer kept, or the service is away: the answer's own curves are drawn
  }
}
