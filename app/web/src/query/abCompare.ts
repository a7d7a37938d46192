/** A/B comparison: the reference, where a lane is active, against the preview of a hit, at equal loudness.
 * The last hit that was played is the one compared. */
import { signal } from "@preact/signals";
import type { Hit, Span } from "../api/types";
import { decodeAudio, fetchDecoded } from "../audio/decode";
import { loudness, matchedGains } from "../audio/level";
import { levels, playPreview, playReference, position, seek, sounding, stop } from "../audio/player";
import type { Lane } from "./lanes";
import { choiceKey, clipSpans } from "./lanes";
import { currentLane, decodedTrack, duration, queryState } from "./state";

export interface Compared {
  lane: Lane;
  hit: Hit;
}

/** The hit that key A compares with the reference. */
export const compared = signal<Compared | null>(null);

const MIN_COMPARED_SECONDS = 1;
const previews = new Map<string, Promise<number | null>>(); // loudness by URL

/** The span of the track to compare: around the playhead if the lane is active there, else its first long span. */
export function comparisonSpan(lane: Lane, range: Span, at: number): Span {
  const spans = clipSpans(lane.slot.active, range);
  const here = spans.find(([start, end]) => at >= start && at < end - 0.25);
  return here ?? spans.find(([start, end]) => end - start >= MIN_COMPARED_SECONDS) ?? spans[0] ?? range;
}

/** The span that was queried: the selection, else the whole track. */
export function activeRange(): Span {
  return queryState.value.selection ?? [0, duration.value || Number.POSITIVE_INFINITY];
}

/** Play or stop a hit's preview; key A then compares this hit. */
export function toggleHitPreview(lane: Lane, hit: Hit): void {
  currentLane.value = lane.key;
  const place = choiceKey(lane, hit);
  if (sounding.value?.place === place) return stop();
  compared.value = { lane, hit };
  playPreview(hit.preview_url, hit.name, place);
  void matchLoudness({ lane, hit });
}

/** Key A: switch between the preview and the reference where the lane is active. */
export function switchSides(): void {
  const now = compared.value ?? firstOf(currentLane.value);
  if (!now) return;
  if (sounding.value?.kind === "preview") {
    const [start, end] = comparisonSpan(now.lane, activeRange(), position.value);
    if (position.value < start || position.value >= end) seek(start);
    playReference(queryState.value.source?.name ?? "the track", activeRange()[1]);
  } else {
    compared.value = now;
    playPreview(now.hit.preview_url, now.hit.name, choiceKey(now.lane, now.hit));
  }
  void matchLoudness(now);
}

function firstOf(key: string | null): Compared | null {
  const lane = queryState.value.lanes.find((candidate) => candidate.key === key) ?? queryState.value.lanes[0];
  const hit = lane?.slot.hits[0];
  return lane && hit ? { lane, hit } : null;
}

/** Play or stop the reference; outside the selection, playback starts at its beginning. */
export function toggleReference(): void {
  if (sounding.value) return stop();
  const [start, end] = activeRange();
  if (position.value < start - 0.05 || position.value >= end - 0.05) seek(start);
  playReference(queryState.value.source?.name ?? "the track", end);
}

/** Play the reference from `seconds`. */
export function playFrom(seconds: number): void {
  seek(seconds);
  const end = activeRange()[1];
  playReference(queryState.value.source?.name ?? "the track", seconds < end ? end : Number.POSITIVE_INFINITY);
}

/** Play the reference from where a time axis that shows `view` was clicked, or from `start` if a key pressed it. */
export function playFromClick(event: MouseEvent, [from, to]: Span, start: number): void {
  const frame = (event.currentTarget as HTMLElement).getBoundingClientRect();
  const byMouse = event.detail > 0; // a key press has no position
  playFrom(byMouse ? from + ((to - from) * (event.clientX - frame.left)) / frame.width : start);
}

/** Bring the reference and a hit's sound to one loudness: its preview, or the `sound` that is played from `url`. */
export async function matchLoudness(
  { lane, hit }: Compared,
  url = hit.preview_url,
  sound?: Blob,
): Promise<void> {
  const reference = decodedTrack.value;
  if (!reference) return;
  const spot = comparisonSpan(lane, activeRange(), position.value);
  const preview = await loudnessOf(url, sound);
  if (compared.value?.hit !== hit) return; // another hit was chosen meanwhile
  const [one, other] = matchedGains(loudness(reference.samples, reference.sampleRate, ...spot), preview);
  levels.value = { reference: one, preview: other };
}

function loudnessOf(url: string, sound?: Blob): Promise<number | null> {
  const known = previews.get(url);
  if (known) return known;
  const decoded = sound ? sound.arrayBuffer().then(decodeAudio) : fetchDecoded(url);
  const found = decoded.then((one) => (one ? loudness(one.samples, one.sampleRate) : null));
  previews.set(url, found);
  return found;
}
