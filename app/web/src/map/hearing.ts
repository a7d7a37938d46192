/** Hearing what is pointed at: the preview starts once the pointer has rested on a point, and ends when it leaves.
 * Browsers let a page sound only after a click or a key, so before that nothing is tried. */
import { signal } from "@preact/signals";
import { playPreview, sounding, stop } from "../audio/player";

const REST_MS = 140;

/** Whether pointing plays; a switch of the view. */
export const hears = signal(true);

let timer: ReturnType<typeof setTimeout> | undefined;
let mine: string | null = null; // what pointing has started

export function previewOf(instrument: string): string {
  return `/v1/instruments/${encodeURIComponent(instrument)}/preview`;
}

/** The pointer (or the keyboard) is on an instrument now; null: on none. */
export function point(target: { instrument_id: string; name: string } | null): void {
  clearTimeout(timer);
  const url = target && previewOf(target.instrument_id);
  if (url && sounding.value?.url === url) return;
  timer = setTimeout(() => {
    if (mine && sounding.value?.url === mine) stop();
    mine = null;
    if (!url || !target || !hears.value || navigator.userActivation?.hasBeenActive === false) return;
    mine = url;
    playPreview(url, target.name);
  }, REST_MS);
}
