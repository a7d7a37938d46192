/** Plays the preview of the point under the pointer after a short rest, and stops it when the pointer leaves.
 * Browsers allow sound only after a click or key press; before that nothing plays. */
import { signal } from "@preact/signals";
import { playPreview, sounding, stop } from "../audio/player";

const REST_MS = 140;

/** Whether hovering plays previews; a switch in the view. */
export const hoverPreviewEnabled = signal(true);

let timer: ReturnType<typeof setTimeout> | undefined;
let mine: string | null = null; // URL of the preview that hovering started

export function previewUrl(instrument: string): string {
  return `/v1/instruments/${encodeURIComponent(instrument)}/preview`;
}

/** Report the instrument under the pointer or keyboard focus; null: none. */
export function hoverPreview(target: { instrument_id: string; name: string } | null): void {
  clearTimeout(timer);
  const url = target && previewUrl(target.instrument_id);
  if (url && sounding.value?.url === url) return;
  timer = setTimeout(() => {
    if (mine && sounding.value?.url === mine) stop();
    mine = null;
    if (!url || !target || !hoverPreviewEnabled.value || navigator.userActivation?.hasBeenActive === false)
      return;
    mine = url;
    playPreview(url, target.name);
  }, REST_MS);
}
