/** Accepts files dropped anywhere in the window, so that the browser never navigates to a dropped file. */
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Entry, entriesOf } from "./droppedFiles";

/** Call `onDrop` with files dropped on the window while the component is mounted. Returns whether files are over it. */
export function useWindowDrop(onDrop: (entries: Entry[]) => unknown): boolean {
  const over = useSignal(0);
  const latest = useRef(onDrop);
  latest.current = onDrop;
  // As soon as the component is shown: until then the browser would open a dropped file.
  useLayoutEffect(() => {
    const carries = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const count = (step: number) => (event: DragEvent) => {
      if (carries(event)) over.value = Math.max(0, over.value + step);
    };
    const enter = count(1);
    const leave = count(-1);
    const allow = (event: DragEvent) => carries(event) && event.preventDefault();
    const drop = (event: DragEvent) => {
      over.value = 0;
      if (!event.dataTransfer || !carries(event) || event.defaultPrevented) return;
      event.preventDefault();
      latest.current(entriesOf(event.dataTransfer));
    };
    const controller = new AbortController();
    const options = { signal: controller.signal };
    addEventListener("dragenter", enter, options);
    addEventListener("dragleave", leave, options);
    addEventListener("dragover", allow, options);
    addEventListener("drop", drop, options);
    return () => controller.abort();
  }, []);
  return over.value > 0;
}
