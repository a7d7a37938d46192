/** The instrument whose keyboard is open. */
import { signal } from "@preact/signals";

export interface Played {
  id: string;
  name: string;
}

/** Null: no keyboard is open. */
export const played = signal<Played | null>(null);

let opener: HTMLElement | null = null;

/** Open the keyboard of an instrument; the focus returns to the element that had it when it is closed. */
export function openKeyboard(instrument: Played): void {
  opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  played.value = instrument;
}

export function closeKeyboard(): void {
  played.value = null;
  opener?.focus();
}
