/** A/B comparison: the reference, where a lane is active, against the preview of a hit, at equal loudness.
 * The last hit that was played is the one compared. */
import { computed, effect, signal, untracked } from "@preact/signals";
import type { Hit, Span } from "../api/types";
import { decodeAudio, fetchDecoded } from "../audio/decode";
import { loudness, matchedGains } from "../audio/level";
import { levels, playPreview, playReference, position, seek, sounding, stop } from "../audio/player";
import { loop } from "../state/preferences";
import type { Lane } from "./lanes";
import { choiceKey, clipSpans } from "./lanes";
import { currentLane, decodedTrack, duration, isolation, queryState } from "./state";

export interface Compared {
  lane: Lane;
  hit: Hit;
  span?: Span; // exactly this part of the track is compared; left out: where the lane is active
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

const spanOf = ({ lane, span }: Compared): Span =>
  span ?? comparisonSpan(lane, activeRange(), position.value);

/** The span that was queried: the selection, else the whole track. */
export function activeRange(): Span {
  return queryState.value.selection ?? [0, duration.value || Number.POSITIVE_INFINITY];
}

const selection = computed(() => queryState.value.selection);

// A loop follows the selection.
effect(() => {
  if (selection.value) untracked(loopSelection);
});

function loopSelection(): void {
  if (!loop.value || sounding.value?.kind !== "reference") return;
  const [start, end] = activeRange();
  if (position.value < start || position.value >= end) seek(start);
  playTrack([start, end]);
}

/** Play or stop a hit's preview; key A then compares this hit. */
export function toggleHitPreview(lane: Lane, hit: Hit): void {
  currentLane.value = lane.key;
  const place = choiceKey(lane, hit);
  if (sounding.value?.place === place) return stop();
  const kept = compared.value;
  const next = kept?.hit === hit && kept.lane.key === lane.key ? kept : { lane, hit };
  compared.value = next;
  playPreview(hit.preview_url, hit.name, place, 0, true);
  void matchLoudness(next);
}

/** Whether the part of the track in which a lane is most similar to a hit is playing. */
export function playsBestSpan(lane: Lane, hit: Hit): boolean {
  const now = compared.value;
  const isCompared = now?.hit === hit && now.lane.key === lane.key && now.span !== undefined;
  return isCompared && sounding.value?.kind === "reference";
}

/** Play exactly this part of the track, or stop it; key A then switches between it and the hit. */
export function toggleBestSpan(lane: Lane, hit: Hit): void {
  if (playsBestSpan(lane, hit)) return stop();
  if (!hit.best_span) return;
  const now = { lane, hit, span: hit.best_span };
  currentLane.value = lane.key;
  compared.value = now;
  playTrackBeside(now);
  void matchLoudness(now);
}

function playTrackBeside(now: Compared): void {
  const span = spanOf(now);
  if (now.span || position.value < span[0] || position.value >= span[1]) seek(span[0]);
  playTrack(now.span ?? activeRange());
}

function playTrack(span?: Span): void {
  playReference(queryState.value.source?.name ?? "the track", span);
}

/** Play the track at the playhead, or where a lane is heard if it is not heard there. */
export function playTrackAt(lane: Lane): void {
  const [start, end] = comparisonSpan(lane, activeRange(), position.value);
  if (position.value < start || position.value >= end) seek(start);
  playTrack(activeRange());
}

/** Key A: switch between the preview and the reference where the lane is active. */
export function switchSides(): void {
  const now = compared.value ?? firstOf(currentLane.value);
  if (!now) return;
  if (sounding.value?.kind === "preview") {
    playTrackBeside(now);
  } else {
    compared.value = now;
    playPreview(now.hit.preview_url, now.hit.name, choiceKey(now.lane, now.hit), 0, true);
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
  playTrack([start, end]);
}

/** Play the reference from `seconds`. */
export function playFrom(seconds: number): void {
  seek(seconds);
  const [start, end] = activeRange();
  if (seconds < end) playTrack([Math.min(start, seconds), end]);
  else playTrack();
}

/** Play the reference from where a time axis that shows `view` was clicked, or from `start` if a key pressed it. */
export function playFromClick(event: MouseEvent, [from, to]: Span, start: number): void {
  const frame = (event.currentTarget as HTMLElement).getBoundingClientRect();
  const byMouse = event.detail > 0; // a key press has no position
  playFrom(byMouse ? from + ((to - from) * (event.clientX - frame.left)) / frame.width : start);
}

/** Bring the reference and a hit's sound to one loudness: its preview, or the `sound` that is played from `url`. */
export async function matchLoudness(now: Compared, url = now.hit.preview_url, sound?: Blob): Promise<void> {
  const { decoded: reference, start } = isolation.value ?? { decoded: decodedTrack.value, start: 0 };
  if (!reference) return;
  const spot = spanOf(now).map((seconds) => seconds - start) as Span;
  const preview = await loudnessOf(url, sound);
  if (compared.value?.hit !== now.hit) return; // another hit was chosen meanwhile
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
