/** Turns pointer and wheel events into gestures: hover, click, pan, zoom (wheel or pinch).
 * Follows the Pointer Events recommendation; two fingers pan and zoom, one finger or button pans. */
import type { Place } from "./geometry";

export interface Gestures {
  onPoint: (at: Place | null) => void; // mouse position; null: it left
  onClick: (at: Place) => void;
  onPan: (dx: number, dy: number) => void;
  onZoom: (factor: number, at: Place) => void;
}

const CLICK_PIXELS = 5; // a shorter drag is a click
const WHEEL_STEP = 0.0016;
const PINCH_STEP = 0.012; // trackpads report a pinch as a wheel event with Ctrl
const LINE_PIXELS = 16;

/** The zoom factor of a wheel event. */
export function wheelFactor(event: Pick<WheelEvent, "deltaY" | "deltaMode" | "ctrlKey">): number {
  const pixels = event.deltaMode === 0 ? event.deltaY : event.deltaY * LINE_PIXELS;
  const bounded = Math.max(-240, Math.min(240, pixels));
  return Math.exp(-bounded * (event.ctrlKey ? PINCH_STEP : WHEEL_STEP));
}

/** Listen on `element`. Returns a function that stops. */
export function listenToGestures(element: HTMLElement, gestures: Gestures): () => void {
  const pointers = new Map<number, Place>();
  let moved = 0;
  const placeOf = (event: MouseEvent): Place => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    if (!pointers.size) moved = 0;
    else moved = CLICK_PIXELS; // a second finger: not a click
    pointers.set(event.pointerId, placeOf(event));
    element.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    const now = placeOf(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") gestures.onPoint(now);
      return;
    }
    moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    if (moved < CLICK_PIXELS) return;
    if (other) pinch(before, now, other, gestures);
    else gestures.onPan(now.x - before.x, now.y - before.y);
  };
  const up = (event: PointerEvent) => {
    if (pointers.delete(event.pointerId) && moved < CLICK_PIXELS && event.type === "pointerup")
      gestures.onClick(placeOf(event));
  };
  const leave = () => gestures.onPoint(null);
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    gestures.onZoom(wheelFactor(event), placeOf(event));
  };
  element.addEventListener("pointerdown", down);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("pointerleave", leave);
  element.addEventListener("wheel", wheel, { passive: false });
  return () => {
    element.removeEventListener("pointerdown", down);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", up);
    element.removeEventListener("pointercancel", up);
    element.removeEventListener("pointerleave", leave);
    element.removeEventListener("wheel", wheel);
  };
}

/** Handle a move of one of two fingers: zoom about their midpoint, and pan with it. */
function pinch(before: Place, now: Place, other: Place, { onPan, onZoom }: Gestures): void {
  const span = (one: Place) => Math.hypot(one.x - other.x, one.y - other.y);
  const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
  onPan((now.x - before.x) / 2, (now.y - before.y) / 2);
  onZoom(Math.max(10, span(now)) / Math.max(10, span(before)), middle);
}
