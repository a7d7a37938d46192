/** A/B: the reference where a lane sounds against the preview of a hit, at one level, switched by one key.
 * The last hit that was played is the one that is compared. */
import { signal } from "@preact/signals";
import type { Hit, Span } from "../api/types";
import { decodedFrom } from "../audio/decode";
import { loudness, matchedGains } from "../audio/level";
import { levels, playPreview, playReference, position, seek, sounding, stop } from "../audio/player";
import type { Lane } from "./lanes";
import { within } from "./lanes";
import { currentLane, drawing, duration, shown } from "./state";

export interface Compared {
  lane: Lane;
  hit: Hit;
}

/** What key A switches between: this hit and the reference. */
export const compared = signal<Compared | null>(null);

const LONG_ENOUGH_SECONDS = 1;
const previews = new Map<string, Promise<number | null>>(); // loudness by URL

/** The part of the track where a lane is best compared: where the play-head is if it sounds there, else its first long span. */
export function spotOf(lane: Lane, range: Span, at: number): Span {
  const spans = within(lane.slot.active, range);
  const here = spans.find(([start, end]) => at >= start && at < end - 0.25);
  return here ?? spans.find(([start, end]) => end - start >= LONG_ENOUGH_SECONDS) ?? spans[0] ?? range;
}

/** What is listened to: the selection, else the whole track. */
export function range(): Span {
  return shown.value.selection ?? [0, duration.value || Number.POSITIVE_INFINITY];
}

/** Play a hit's preview, or stop it; from now on it is what A compares. */
export function toggleHit(lane: Lane, hit: Hit): void {
  currentLane.value = lane.key;
  if (sounding.value?.url === hit.preview_url) return stop();
  compared.value = { lane, hit };
  playPreview(hit.preview_url, hit.name);
  void matchLevels({ lane, hit });
}

/** Key A: from the preview to the reference at the lane's spot, and back. */
export function switchSides(): void {
  const now = compared.value ?? firstOf(currentLane.value);
  if (!now) return;
  if (sounding.value?.kind === "preview") {
    const [start, end] = spotOf(now.lane, range(), position.value);
    if (position.value < start || position.value >= end) seek(start);
    playReference(shown.value.source?.name ?? "the track", range()[1]);
  } else {
    compared.value = now;
    playPreview(now.hit.preview_url, now.hit.name);
  }
  void matchLevels(now);
}

function firstOf(key: string | null): Compared | null {
  const lane = shown.value.lanes.find((candidate) => candidate.key === key) ?? shown.value.lanes[0];
  const hit = lane?.slot.hits[0];
  return lane && hit ? { lane, hit } : null;
}

/** Play or pause the reference, from the start of what is selected when it stands outside. */
export function toggleReference(): void {
  if (sounding.value) return stop();
  const [start, end] = range();
  if (position.value < start - 0.05 || position.value >= end - 0.05) seek(start);
  playReference(shown.value.source?.name ?? "the track", end);
}

/** Play the reference from a moment on. */
export function playFrom(seconds: number): void {
  seek(seconds);
  const end = range()[1];
  playReference(shown.value.source?.name ?? "the track", seconds < end ? end : Number.POSITIVE_INFINITY);
}

async function matchLevels({ lane, hit }: Compared): Promise<void> {
  const reference = drawing.value;
  if (!reference) return;
  const spot = spotOf(lane, range(), position.value);
  const preview = await loudnessOf(hit.preview_url);
  if (compared.value?.hit !== hit) return; // another one came meanwhile
  const [one, other] = matchedGains(loudness(reference.samples, reference.sampleRate, ...spot), preview);
  levels.value = { reference: one, preview: other };
}

function loudnessOf(url: string): Promise<number | null> {
  const known = previews.get(url);
  if (known) return known;
  const found = decodedFrom(url).then((sound) => (sound ? loudness(sound.samples, sound.sampleRate) : null));
  previews.set(url, found);
  return found;
}
