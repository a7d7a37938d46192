/** The part of each lane as notes: a MIDI file, and the part played by a match.
 * The service reads the notes after the answer is shown. Parts below its confidence are not offered. */
import { computed, effect, signal, untracked } from "@preact/signals";
import { getParts, midiUrl, renderedPartUrl } from "../api/client";
import { download, fetchSound } from "../api/download";
import type { QueryAnswer } from "../api/types";
import { playPreview, position, sounding, stop } from "../audio/player";
import { showProblem, showToast } from "../state/toasts";
import { activeRange, type Compared, compared, comparisonSpan, matchLoudness } from "./abCompare";
import { choiceKey, type Lane } from "./lanes";
import { queryState } from "./state";

interface SureParts {
  answer: QueryAnswer;
  slots: ReadonlySet<number>; // whose notes are sure enough
}

const sureParts = signal<SureParts | null>(null);
/** The place of the part that the service is rendering; null if none. */
export const rendering = signal<string | null>(null);

const answer = computed(() => queryState.value.answer);
let asking: AbortController | null = null;

// The parts of a new answer are asked for once it is shown.
effect(() => {
  const current = answer.value;
  untracked(() => void takeAnswer(current));
});

async function takeAnswer(current: QueryAnswer | null): Promise<void> {
  asking?.abort();
  sureParts.value = null;
  if (!current?.slots.length) return;
  const controller = new AbortController();
  asking = controller;
  try {
    const { parts } = await getParts(current.id, { signal: controller.signal });
    const slots = new Set(parts.filter((part) => part.confident).map((part) => part.slot));
    if (!controller.signal.aborted) sureParts.value = { answer: current, slots };
  } catch {
    // nothing is offered: the audio is no longer kept, or the service is away
  }
}

/** Whether the part of a lane is offered. A locked lane of an earlier answer has none. */
export function hasPart(lane: Lane): boolean {
  const found = sureParts.value;
  return !!found?.slots.has(lane.slot.slot) && found.answer.slots.includes(lane.slot);
}

/** Save the notes of a lane as a MIDI file. */
export async function saveMidi(lane: Lane): Promise<void> {
  const found = sureParts.value;
  if (!found || !hasPart(lane)) return;
  try {
    const name = await download(midiUrl(found.answer.id, lane.slot.slot), "part.mid");
    showToast(`${name} saved.`, "good");
  } catch (error) {
    showProblem(error);
  }
}

/** The match that is compared, or the best one of the first lane with a part; null if its lane has none. */
export function playedMatch(): Compared | null {
  const now = compared.value;
  if (now) return hasPart(now.lane) ? now : null;
  const lane = queryState.value.lanes.find((one) => hasPart(one) && one.slot.hits.length > 0);
  const hit = lane?.slot.hits[0];
  return lane && hit ? { lane, hit } : null;
}

/** The place of a part in the player. */
export const partPlace = ({ lane, hit }: Compared): string => `part ${choiceKey(lane, hit)}`;

interface PartSound {
  sound: Blob;
  url: string; // in this page
}

const sounds = new Map<string, PartSound>(); // by the part's address

/** Play the part of a match's lane by the match, from where the lane is heard; or stop it. */
export async function togglePart(now: Compared): Promise<void> {
  const found = sureParts.value;
  const place = partPlace(now);
  if (sounding.value?.place === place) return stop();
  if (!found || rendering.value) return;
  const { lane, hit } = now;
  const address = renderedPartUrl(found.answer.id, lane.slot.slot, hit.instrument_id);
  rendering.value = place;
  try {
    const { sound, url } = sounds.get(address) ?? (await fetchPart(address));
    if (sureParts.value !== found) return; // another answer is shown meanwhile
    compared.value = now;
    const [start, end] = comparisonSpan(lane, activeRange(), position.value);
    const from = position.value >= start && position.value < end ? position.value : start;
    playPreview(url, `the part by ${hit.name}`, place, from - lane.range[0]);
    void matchLoudness(now, url, sound);
  } catch (error) {
    showProblem(error);
  } finally {
    rendering.value = null;
  }
}

async function fetchPart(address: string): Promise<PartSound> {
  const sound = await fetchSound(address);
  const found = { sound, url: URL.createObjectURL(sound) };
  sounds.set(address, found);
  return found;
}
