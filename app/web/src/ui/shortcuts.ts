/** Keyboard shortcuts: a view registers its keys while it is shown; text fields keep their own keys.
 * The help dialog reads the same table. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

export interface Shortcut {
  keys: readonly string[]; // values of KeyboardEvent.key; `Ctrl+z` for a chord (Command on a Mac)
  shown: string;
  does: string;
  run: (event: KeyboardEvent) => void;
}

export const shortcuts = signal<readonly (readonly Shortcut[])[]>([]);

/** The key of an event, in the table's notation. */
export function chordOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey">): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${key}`;
}

/** Whether the focused element needs the key: fields need all keys, buttons and links need Space and Enter. */
function isTaken(event: KeyboardEvent): boolean {
  const target = event.target instanceof HTMLElement ? event.target : null;
  if (!target || event.defaultPrevented || document.querySelector("dialog[open]")) return true;
  if (target.isContentEditable || target.closest("select, textarea, input:not([type=checkbox]), [role=menu]"))
    return true;
  const presses = event.key === " " || event.key === "Enter";
  return presses && target.closest("button, a, summary, input") !== null;
}

addEventListener("keydown", (event) => {
  if (isTaken(event)) return;
  const chord = chordOf(event);
  for (const table of [...shortcuts.value].reverse()) {
    const found = table.find((shortcut) => shortcut.keys.includes(chord));
    if (found) {
      event.preventDefault();
      found.run(event);
      return;
    }
  }
});

/** Enable these shortcuts while the component is mounted. */
export function useShortcuts(table: readonly Shortcut[]): void {
  useEffect(() => {
    shortcuts.value = [...shortcuts.value, table];
    return () => {
      shortcuts.value = shortcuts.value.filter((other) => other !== table);
    };
  }, [table]);
}
