/** The page's one player: the reference or a preview, never two at once, at the volume the user chose.
 * Views ask it with `togglePreview(url, label)` and read `sounding`; the query view also drives the reference. */
import { effect, signal } from "@preact/signals";
import { volume } from "../state/preferences";
import { say } from "../state/toasts";
import { Channel } from "./channel";

export interface Sound {
  kind: "reference" | "preview";
  url: string;
  label: string;
}

/** What is heard now, or null. */
export const sounding = signal<Sound | null>(null);
/** Where the reference stands, in seconds of the file. */
export const position = signal(0);
/** How far the preview has come, 0 to 1. */
export const previewShare = signal(0);
/** Whether this browser can play the reference; null while it is not known. */
export const referencePlays = signal<boolean | null>(null);
/** URLs of previews that could not be played. */
export const failedPreviews = signal<ReadonlySet<string>>(new Set());
/** Gains that bring reference and preview to one level; the query view sets them. */
export const levels = signal<{ reference: number; preview: number }>({ reference: 1, preview: 1 });

const channels = { reference: new Channel("reference"), preview: new Channel("preview") };
let stopAt = Number.POSITIVE_INFINITY; // where the reference's selection ends, seconds
let frame = 0; // of the running tick

effect(() => {
  channels.reference.setGain(volume.value * levels.value.reference);
  channels.preview.setGain(volume.value * levels.value.preview);
});

// The reference

/** Take another reference (null: none); the position goes back to the start. */
export function loadReference(url: string | null): void {
  if (sounding.value?.kind === "reference") stop();
  channels.reference.load(url);
  position.value = 0;
  referencePlays.value = null;
}

/** Move the reference to `seconds`; it goes on sounding if it did. */
export function seek(seconds: number): void {
  position.value = Math.max(0, seconds);
  if (channels.reference.url) channels.reference.element.currentTime = position.value;
}

/** Play the reference from where it stands up to `end`, in seconds. */
export function playReference(label: string, end = Number.POSITIVE_INFINITY): void {
  const url = channels.reference.url;
  if (!url || referencePlays.value === false) return;
  stopAt = end;
  channels.reference.element.currentTime = position.value;
  start({ kind: "reference", url, label });
}

// Previews

/** Play a preview from its start. */
export function playPreview(url: string, label: string): void {
  channels.preview.load(url);
  channels.preview.element.currentTime = 0;
  start({ kind: "preview", url, label });
}

/** Play a preview, or stop it if it is what sounds. */
export function togglePreview(url: string, label: string): void {
  if (sounding.value?.url === url) stop();
  else playPreview(url, label);
}

/** Silence. */
export function stop(): void {
  sounding.value = null;
  channels.reference.element.pause();
  channels.preview.element.pause();
}

function start(sound: Sound): void {
  channels[sound.kind === "reference" ? "preview" : "reference"].element.pause();
  sounding.value = sound;
  channels[sound.kind].play().catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") return; // another sound came first
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
    say(`The preview of ${sound.label} could not be played.`, "bad");
  }
}

/** While something sounds: follow it once per frame, which `timeupdate` is too slow for. */
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
