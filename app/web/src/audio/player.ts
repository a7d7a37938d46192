/** The page's only player: it plays the reference or one preview, never both.
 * Views call `togglePreview(url, label, place)` and read `sounding`; the query view also controls the reference, and what plays
 * in its place. */
import { effect, signal } from "@preact/signals";
import type { Span } from "../api/types";
import { loop, volume } from "../state/preferences";
import { showToast } from "../state/toasts";
import { Channel } from "./channel";
import { LoopedSpan } from "./loopedSpan";

export interface Sound {
  kind: "reference" | "preview";
  url: string;
  label: string;
  place: string; // the button that started it: several may play one preview
  loops?: boolean; // a preview that is repeated while `loop` is on
}

/** A sound and its bytes; the address of a file in this page cannot be fetched. */
export interface Loadable {
  url: string;
  bytes: () => Promise<ArrayBuffer>;
}

/** A sound that plays in the reference's place, within a span of it. */
export interface StandIn extends Loadable {
  span: Span; // in seconds of the reference
}

/** The sound that is playing, or null. */
export const sounding = signal<Sound | null>(null);
/** Position in the reference, in seconds. */
export const position = signal(0);
/** Progress of the preview, 0 to 1. */
export const previewShare = signal(0);
/** Whether this browser can play the reference; null if not known yet. */
export const referencePlays = signal<boolean | null>(null);
/** URLs of previews that failed to play. */
export const failedPreviews = signal<ReadonlySet<string>>(new Set());
/** Gains that match reference and preview; set by the query view. */
export const levels = signal<{ reference: number; preview: number }>({ reference: 1, preview: 1 });

const WHOLE: Span = [0, Number.POSITIVE_INFINITY];
const channels = {
  reference: new Channel("reference"),
  standIn: new Channel("stand-in"),
  preview: new Channel("preview"),
};
const looped = new LoopedSpan(); // sounds instead of the track's element, from the second time on
let reference: Loadable | null = null;
let standIn: StandIn | null = null;
let playedSpan = WHOLE; // of the reference, in seconds
let frame = 0; // of the current animation frame request

effect(() => {
  channels.reference.setGain(volume.value * levels.value.reference);
  channels.standIn.setGain(volume.value * levels.value.reference);
  channels.preview.setGain(volume.value * levels.value.preview);
});
effect(() => {
  channels.preview.element.loop = loop.value && (sounding.value?.loops ?? false);
});
effect(() => {
  if (loop.value) prepareLoop();
  else leaveLoop();
});

// The reference

/** The sound that plays as the track, its channel, and the span of the reference that it covers. */
function track(): { channel: Channel; sound: Loadable | null; span: Span } {
  if (standIn) return { channel: channels.standIn, sound: standIn, span: standIn.span };
  return { channel: channels.reference, sound: reference, span: WHOLE };
}

/** Load another reference, or none; the position returns to the start. */
export function loadReference(next: Loadable | null): void {
  if (sounding.value?.kind === "reference") stop();
  reference = next;
  position.value = 0;
  channels.reference.load(next?.url ?? null);
  substitute(null);
  referencePlays.value = null;
}

/** Let another sound play in the reference's place, or the reference again; playback continues at the same position. */
export function substitute(next: StandIn | null): void {
  const now = sounding.value;
  looped.stop();
  track().channel.element.pause();
  standIn = next;
  channels.standIn.load(next?.url ?? null);
  seek(position.value);
  const { url } = track().channel;
  if (now?.kind === "reference" && url) start({ ...now, url });
}

/** Move to `seconds` in the reference, within what a stand-in covers; playback continues. */
export function seek(seconds: number): void {
  const { channel, span } = track();
  position.value = Math.max(span[0], Math.min(span[1], seconds));
  if (!channel.url) return;
  channel.element.currentTime = position.value - span[0];
  leaveLoop();
}

/** Play the reference, or what stands in for it, from the current position to the end of `span`. */
export function playReference(label: string, span: Span = WHOLE): void {
  const { channel, span: covered } = track();
  const { url } = channel;
  if (!url || (referencePlays.value === false && !standIn)) return;
  playedSpan = span;
  if (position.value >= covered[1] - 0.05) position.value = Math.max(covered[0], span[0]);
  seek(position.value);
  start({ kind: "reference", url, label, place: "reference" });
}

// Previews

/** Play a preview from its start, or from a second of it. */
export function playPreview(url: string, label: string, place = url, from = 0, loops = false): void {
  channels.preview.load(url);
  channels.preview.element.currentTime = Math.max(0, from);
  start({ kind: "preview", url, label, place, loops });
}

/** Play a preview, or stop it if it was started at `place`. */
export function togglePreview(url: string, label: string, place = url): void {
  if (sounding.value?.place === place) stop();
  else playPreview(url, label, place);
}

/** Stop all sound. */
export function stop(): void {
  sounding.value = null;
  looped.stop();
  for (const channel of Object.values(channels)) channel.element.pause();
}

function start(sound: Sound): void {
  const used = sound.kind === "reference" ? track().channel : channels.preview;
  looped.stop();
  for (const channel of Object.values(channels)) if (channel !== used) channel.element.pause();
  sounding.value = sound;
  used.play().catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") return; // another sound was started
    if (sounding.value === sound) failed(sound);
  });
  prepareLoop();
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(tick);
}

function failed(sound: Sound): void {
  sounding.value = null;
  if (sound.kind === "reference" && !standIn) {
    referencePlays.value = false;
  } else {
    if (sound.kind === "preview") failedPreviews.value = new Set([...failedPreviews.value, sound.url]);
    showToast(`The preview of ${sound.label} could not be played.`, "bad");
  }
}

/** Follow the position once per frame, because `timeupdate` fires too rarely. */
function tick(): void {
  const sound = sounding.value;
  if (!sound) return;
  const { element } = channels.preview;
  if (sound.kind === "reference") followTrack();
  else previewShare.value = element.duration > 0 ? element.currentTime / element.duration : 0;
  frame = requestAnimationFrame(tick);
}

function followTrack(): void {
  const { channel, span } = track();
  const [from, end] = loopSpan();
  if (looped.plays) position.value = from + looped.time;
  else if (!channel.element.seeking) {
    position.value = Math.min(span[0] + channel.element.currentTime, end);
    if (position.value >= end) atEnd();
  }
}

// Loops

/** The part of the played span that the track covers, which is repeated while `loop` is on. */
function loopSpan(): Span {
  const { span } = track();
  return [Math.max(playedSpan[0], span[0]), Math.min(playedSpan[1], span[1])];
}

/** Stop at the end of the played span, or begin it again: from memory without a gap, where it is ready. */
function atEnd(): void {
  if (!loop.value) return stop();
  const { channel, span } = track();
  const [from] = loopSpan();
  prepareLoop(); // the length of the sound is known by now
  position.value = from;
  if (looped.play(channel.output)) {
    channel.element.pause();
  } else {
    channel.element.currentTime = from - span[0];
    if (channel.element.paused) channel.element.play().catch(() => undefined); // it had ended
  }
}

function prepareLoop(): void {
  const { channel, sound, span } = track();
  const [from, end] = loopSpan();
  if (!loop.value || !sound || sounding.peek()?.kind !== "reference") return;
  looped.prepare(sound.url, sound.bytes, [from - span[0], end - span[0]], channel.element.duration);
}

/** Go on in the track's element where the loop is. */
function leaveLoop(): void {
  if (!looped.plays) return;
  const { channel, span } = track();
  looped.stop();
  channel.element.currentTime = position.peek() - span[0];
  channel.element.play().catch(() => undefined);
}

for (const channel of Object.values(channels)) {
  channel.element.addEventListener("ended", () => {
    if (sounding.value?.url !== channel.url) return;
    if (sounding.value?.kind === "reference") atEnd();
    else stop();
  });
}
channels.reference.element.addEventListener("loadedmetadata", () => {
  referencePlays.value = true;
});
channels.reference.element.addEventListener("error", () => {
  if (channels.reference.url) referencePlays.value = false;
});
