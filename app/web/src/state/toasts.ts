/** Toasts at the bottom of the page, and the undo stack (Ctrl+Z or the toast's button).
 * An action registers its undo: `offerUndo("Piano deleted", () => restoreInstrument(id))`. */
import { signal } from "@preact/signals";
import { describeProblem } from "../api/problem";

export type Tone = "plain" | "good" | "bad";

export interface Toast {
  id: number;
  text: string;
  tone: Tone;
  undo: (() => void) | null;
}

type UndoStep = { toast: number; text: string; undo: () => unknown }; // awaited if it returns a promise

const SECONDS: Record<Tone, number> = { plain: 5, good: 5, bad: 9 };
const UNDO_SECONDS = 10;
const MAX_TOASTS = 3;
const MAX_UNDO_STEPS = 50;

export const toasts = signal<Toast[]>([]);
const undoSteps = signal<UndoStep[]>([]);
const underWay = new Set<Promise<unknown>>();
let count = 0;

function show(text: string, tone: Tone, undo: (() => void) | null, seconds: number): number {
  const id = ++count;
  toasts.value = [...toasts.value, { id, text, tone, undo }].slice(-MAX_TOASTS);
  setTimeout(() => dismiss(id), 1000 * seconds);
  return id;
}

/** Show a message. */
export function showToast(text: string, tone: Tone = "plain"): void {
  show(text, tone, null, SECONDS[tone]);
}

/** Show an error as one sentence with advice. */
export function showProblem(error: unknown): void {
  const { title, advice } = describeProblem(error);
  showToast(advice ? `${title} ${advice}` : title, "bad");
}

/** Register an undo step; `quiet` adds no toast. Returns a function that withdraws it. */
export function offerUndo(text: string, undo: UndoStep["undo"], quiet = false): () => void {
  const step: UndoStep = { toast: 0, text, undo };
  if (!quiet) step.toast = show(text, "plain", () => void undoStep(step), UNDO_SECONDS);
  undoSteps.value = [...undoSteps.value, step].slice(-MAX_UNDO_STEPS);
  return () => withdraw(step);
}

/** Let undo wait for an action that the page shows before the service has done it, and that registers its undo then. */
export function beforeUndo<Result>(action: Promise<Result>): Promise<Result> {
  underWay.add(action);
  return action.finally(() => underWay.delete(action));
}

/** Undo the last step, also one whose action is under way. */
export async function undoLast(): Promise<void> {
  await Promise.allSettled(underWay);
  const last = undoSteps.value.at(-1);
  if (last) void undoStep(last);
  else showToast("Nothing to undo.");
}

function withdraw(step: UndoStep): void {
  undoSteps.value = undoSteps.value.filter((other) => other !== step);
  dismiss(step.toast);
}

async function undoStep(step: UndoStep): Promise<void> {
  withdraw(step);
  try {
    await step.undo();
    showToast(`Undone: ${step.text}`);
  } catch (error) {
    showProblem(error);
  }
}

/** Remove a toast. */
export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}
