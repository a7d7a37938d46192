/** The page's only player: it plays the reference or one preview, never both.
 * Views call `togglePreview(url, label, place)` and read `sounding`; the query view also controls the reference. */
import { effect, signal } from "@preact/signals";
import { volume } from "../state/preferences";
import { showToast } from "../state/toasts";
import { Channel } from "./channel";

export interface Sound {
  kind: "reference" | "preview";
  url: string;
  label: string;
  place: string; // the button that started it: several may play one preview
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

const channels = { reference: new Channel("reference"), preview: new Channel("preview") };
let stopAt = Number.POSITIVE_INFINITY; // end of the reference's selection, in seconds
let frame = 0; // of the current animation frame request

effect(() => {
  channels.reference.setGain(volume.value * levels.value.reference);
  channels.preview.setGain(volume.value * levels.value.preview);
});

// The reference

/** Load another reference, or none; the position returns to the start. */
export function loadReference(url: string | null): void {
  if (sounding.value?.kind === "reference") stop();
  channels.reference.load(url);
  position.value = 0;
  referencePlays.value = null;
}

/** Move to `seconds` in the reference; playback continues. */
export function seek(seconds: number): void {
  position.value = Math.max(0, seconds);
  if (channels.reference.url) channels.reference.element.currentTime = position.value;
}

/** Play the reference from the current position to `end`, in seconds. */
export function playReference(label: string, end = Number.POSITIVE_INFINITY): void {
  const url = channels.reference.url;
  if (!url || referencePlays.value === false) return;
  stopAt = end;
  channels.reference.element.currentTime = position.value;
  start({ kind: "reference", url, label, place: url });
}

// Previews

/** Play a preview from its start, or from a second of it. */
export function playPreview(url: string, label: string, place = url, from = 0): void {
  channels.preview.load(url);
  channels.preview.element.currentTime = Math.max(0, from);
  start({ kind: "preview", url, label, place });
}

/** Play a preview, or stop it if it was started at `place`. */
export function togglePreview(url: string, label: string, place = url): void {
  if (sounding.value?.place === place) stop();
  else playPreview(url, label, place);
}

/** Stop all sound. */
export function stop(): void {
  sounding.value = null;
  channels.reference.element.pause();
  channels.preview.element.pause();
}

function start(sound: Sound): void {
  channels[sound.kind === "reference" ? "preview" : "reference"].element.pause();
  sounding.value = sound;
  channels[sound.kind].play().catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") return; // another sound was started
    if (sounding.value === sound) failed(sound);
  });
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(tick);
}

function failed(sound: Sound): void {
  sounding.value = null;
  if (sound.kind === "reference") {
    referencePlays.value = false;
  } else {
    failedPreviews.value = new Set([...failedPreviews.value, sound.url]);
    showToast(`The preview of ${sound.label} could not be played.`, "bad");
  }
}

/** Follow the position once per frame, because `timeupdate` fires too rarely. */
function tick(): void {
  const sound = sounding.value;
  if (!sound) return;
  const { element } = channels[sound.kind];
  if (sound.kind === "preview") {
    previewShare.value = element.duration > 0 ? element.currentTime / element.duration : 0;
  } else if (!element.seeking) {
    position.value = Math.min(element.currentTime, stopAt);
    if (element.currentTime >= stopAt) stop();
  }
  frame = requestAnimationFrame(tick);
}

for (const channel of Object.values(channels)) {
  channel.element.addEventListener("ended", () => {
    if (sounding.value?.url === channel.url) stop();
  });
}
channels.reference.element.addEventListener("loadedmetadata", () => {
  referencePlays.value = true;
});
channels.reference.element.addEventListener("error", () => {
  if (channels.reference.url) referencePlays.value = false;
});
