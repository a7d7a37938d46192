/** Short messages at the page's foot, and the stack of what can be undone (Ctrl+Z, or the toast's button).
 * An undoable deed says so itself: `undoable("Piano deleted", () => restoreInstrument(id))`. */
import { signal } from "@preact/signals";
import { sentenceOf } from "../api/problem";

export type Tone = "plain" | "good" | "bad";

export interface Toast {
  id: number;
  text: string;
  tone: Tone;
  undo: (() => void) | null;
}

type Deed = { toast: number; text: string; undo: () => unknown }; // what `undo` returns is awaited

const SECONDS: Record<Tone, number> = { plain: 5, good: 5, bad: 9 };
const UNDO_SECONDS = 10;
const MOST_TOASTS = 3;
const MOST_DEEDS = 50;

export const toasts = signal<Toast[]>([]);
const deeds = signal<Deed[]>([]);
let count = 0;

function show(text: string, tone: Tone, undo: (() => void) | null, seconds: number): number {
  const id = ++count;
  toasts.value = [...toasts.value, { id, text, tone, undo }].slice(-MOST_TOASTS);
  setTimeout(() => dismiss(id), 1000 * seconds);
  return id;
}

/** Say something that needs no answer. */
export function say(text: string, tone: Tone = "plain"): void {
  show(text, tone, null, SECONDS[tone]);
}

/** Say in one sentence what went wrong, and what to do. */
export function sayProblem(error: unknown): void {
  const { title, advice } = sentenceOf(error);
  say(advice ? `${title} ${advice}` : title, "bad");
}

/** Tell of something done that `undo` takes back; `quiet` puts it on the stack without a toast. */
export function undoable(text: string, undo: Deed["undo"], quiet = false): void {
  const deed: Deed = { toast: 0, text, undo };
  if (!quiet) deed.toast = show(text, "plain", () => void takeBack(deed), UNDO_SECONDS);
  deeds.value = [...deeds.value, deed].slice(-MOST_DEEDS);
}

/** Undo the last deed; says so when there is none. */
export function undoLast(): void {
  const last = deeds.value.at(-1);
  if (last) void takeBack(last);
  else say("Nothing to undo.");
}

async function takeBack(deed: Deed): Promise<void> {
  deeds.value = deeds.value.filter((other) => other !== deed);
  dismiss(deed.toast);
  try {
    await deed.undo();
    say(`Undone: ${deed.text}`);
  } catch (error) {
    sayProblem(error);
  }
}

/** Take a toast away before its time. */
export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}
