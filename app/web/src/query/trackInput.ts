/** Track input: picked, dropped or pasted files. A file that arrives during a query is held back. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { limits } from "../state/server";
import { showToast } from "../state/toasts";
import { chooseTrack, droppedFilesOf } from "./checkFiles";
import { queryFile } from "./runQuery";
import { queryProblem, queryProgress } from "./state";

/** A file that arrived during a query; the user decides which to keep. */
export const pendingTrack = signal<File | null>(null);
/** Whether a file is being dragged over the page. */
export const dragging = signal(false);

/** Check the given files and query the track among them. */
export function submitFiles(files: readonly File[], folders = 0): void {
  const { file, problem, note } = chooseTrack(files, folders, limits.value);
  if (problem) {
    queryProblem.value = problem;
    return;
  }
  if (!file) return;
  if (note) showToast(note);
  if (queryProgress.value) pendingTrack.value = file;
  else void queryFile(file);
}

const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;

/** Accept drops and pastes anywhere on the page while the query view is shown. */
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
      const { files, folders } = droppedFilesOf(event.dataTransfer);
      submitFiles(files, folders);
    };
    const paste = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) submitFiles(files);
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
