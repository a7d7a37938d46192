/** Solo and mute of a lane: what it isolates plays in the track's place, or the track without it.
 * The service masks the track, which takes a while; a preview, not a stem. One lane is heard so at a time. */
import { computed, effect, signal, untracked } from "@preact/signals";
import { isolatedUrl } from "../api/client";
import { fetchSound } from "../api/download";
import type { QueryAnswer } from "../api/types";
import { type DecodedAudio, decodeAudio } from "../audio/decode";
import { type StandIn, sounding, substitute } from "../audio/player";
import { showProblem } from "../state/toasts";
import { compared, matchLoudness, playTrackAt } from "./abCompare";
import type { Lane } from "./lanes";
import { type Isolation, isolation, queryState } from "./state";

export const NOT_A_STEM = "a preview made by a mask, not a stem";

interface IsolatedSound {
  standIn: StandIn;
  decoded: DecodedAudio | null;
}

/** The lane that is being isolated, and how; null if none is. */
export const isolating = signal<Pick<Isolation, "lane" | "how"> | null>(null);

const sounds = new Map<string, IsolatedSound>(); // of the shown answer, by address
const answer = computed(() => queryState.value.answer);

// A new answer has other ranges and other notes: its lane is isolated anew, or the track returns.
effect(() => {
  const current = answer.value;
  untracked(() => takeAnswer(current));
});

function takeAnswer(current: QueryAnswer | null): void {
  const before = isolation.value;
  isolating.value = null;
  clearIsolation();
  for (const { standIn } of sounds.values()) URL.revokeObjectURL(standIn.url);
  sounds.clear();
  const lane = queryState.value.lanes.find((one) => one.key === before?.lane);
  if (current && before && lane && canIsolate(lane)) void isolate(lane, before.how);
}

function clearIsolation(): void {
  if (!isolation.value) return;
  isolation.value = null;
  substitute(null);
}

/** Whether a lane can be isolated: a locked lane of an earlier answer cannot. */
export const canIsolate = (lane: Lane): boolean => answer.value?.slots.includes(lane.slot) ?? false;

/** Whether a lane is heard alone, or left out. */
export const isIsolated = (lane: Lane, how: Isolation["how"]): boolean =>
  isolation.value?.lane === lane.key && isolation.value.how === how;

/** Hear a lane alone or leave it out, from the playhead on; or hear the whole track again. */
export async function toggleIsolation(lane: Lane, how: Isolation["how"]): Promise<void> {
  const waits = isolating.value;
  if (waits?.lane === lane.key && waits.how === how) {
    isolating.value = null; // no longer wanted
  } else if (isIsolated(lane, how)) {
    clearIsolation();
    matchAgain();
  } else if (canIsolate(lane) && (await isolate(lane, how)) && sounding.value?.kind !== "reference") {
    playTrackAt(lane);
  }
}

/** Let a lane's sound take the track's place; false if it cannot, or something else was asked for meanwhile. */
async function isolate(lane: Lane, how: Isolation["how"]): Promise<boolean> {
  const current = answer.value;
  if (!current) return false;
  const asked = { lane: lane.key, how };
  isolating.value = asked;
  try {
    const { standIn, decoded } = await soundOf(current, lane, how === "mute");
    if (isolating.value !== asked) return false;
    isolation.value = { ...asked, start: standIn.span[0], decoded };
    substitute(standIn);
    matchAgain();
    return true;
  } catch (error) {
    if (isolating.value === asked) showProblem(error);
    return false;
  } finally {
    if (isolating.value === asked) isolating.value = null;
  }
}

async function soundOf(current: QueryAnswer, lane: Lane, mute: boolean): Promise<IsolatedSound> {
  const address = isolatedUrl(current.id, lane.slot.slot, mute);
  const known = sounds.get(address);
  if (known) return known;
  const sound = await fetchSound(address);
  const decoded = await decodeAudio(await sound.arrayBuffer());
  const [start, end] = current.range_seconds;
  const span: StandIn["span"] = [start, decoded ? Math.min(end, start + decoded.duration) : end];
  const standIn = { url: URL.createObjectURL(sound), bytes: () => sound.arrayBuffer(), span };
  const found = { standIn, decoded };
  if (answer.value === current) sounds.set(address, found);
  return found;
}

/** Bring the compared match to the loudness of what plays now. */
function matchAgain(): void {
  if (compared.value) void matchLoudness(compared.value);
}
