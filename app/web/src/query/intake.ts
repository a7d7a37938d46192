/** How a track comes in: picked, dropped anywhere on the page, or pasted; one that comes while a query runs is held back. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { limits } from "../state/server";
import { say } from "../state/toasts";
import { contentsOf, offerOf } from "./accept";
import { takeFile } from "./asking";
import { phase, problem } from "./state";

/** A track that came while a query runs: the user is asked which to go on with. */
export const heldBack = signal<File | null>(null);
/** Whether something is being dragged over the page. */
export const dragging = signal(false);

/** Look at what was given and ask about the track in it. */
export function offer(files: readonly File[], folders = 0): void {
  const { file, refusal, note } = offerOf(files, folders, limits.value);
  if (refusal) {
    problem.value = refusal;
    return;
  }
  if (!file) return;
  if (note) say(note);
  if (phase.value) heldBack.value = file;
  else void takeFile(file);
}

const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;

/** While the query view is shown: the whole page takes drops and pastes. */
export function useDropAndPaste(active: boolean): void {
  useEffect(() => {
    if (!active) return;
    const controller = new AbortController();
    const options = { signal: controller.signal };
    const over = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      dragging.value = true;
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) dragging.value = false;
    };
    const drop = (event: DragEvent) => {
      dragging.value = false;
      if (!hasFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      const { files, folders } = contentsOf(event.dataTransfer);
      offer(files, folders);
    };
    const paste = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) offer(files);
    };
    addEventListener("dragover", over, options);
    addEventListener("dragleave", leave, options);
    addEventListener("drop", drop, options);
    addEventListener("paste", paste, options);
    return () => {
      controller.abort();
      dragging.value = false;
    };
  }, [active]);
}
