/** The keyboard's place among the lanes: each lane's matches are one tab stop, within which the arrow keys move, and a
 * control that goes, as when its match is hidden, leaves the focus to the one that takes its place.
 * Follows the grid pattern of the ARIA Authoring Practices Guide. */
import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

const CONTROLS = ["play-hit", "more-like", "not-this", "hit-more", "choose", "why-track"] as const; // of a match, in the order shown
export type HitControl = (typeof CONTROLS)[number];

interface HitPlace {
  row: number; // of the lane's matches, from 0
  control: HitControl;
}

const rowsIn = (lane: Element) => [...lane.querySelectorAll<HTMLElement>(".hit")];

function controlIn(row: Element | undefined, control: string): HTMLElement | null {
  return row?.querySelector<HTMLElement>(`[data-test="${control}"]:not(:disabled)`) ?? null;
}

function placeOf(element: Element, lane: Element): HitPlace | null {
  const row = rowsIn(lane).findIndex((hit) => hit.contains(element));
  const control = CONTROLS.find((name) => element.matches(`[data-test="${name}"]`));
  return row >= 0 && control ? { row, control } : null;
}

/** The control that an arrow key leads to; null where the lane's matches end. */
function neighbour(key: string, { row, control }: HitPlace, lane: Element): HTMLElement | null {
  const rows = rowsIn(lane);
  if (key === "ArrowDown" || key === "ArrowUp") {
    const next = rows[key === "ArrowDown" ? row + 1 : row - 1];
    return controlIn(next, control) ?? controlIn(next, CONTROLS[0]);
  }
  const at = CONTROLS.indexOf(control);
  const ways = key === "ArrowRight" ? CONTROLS.slice(at + 1) : CONTROLS.slice(0, at).reverse();
  return ways.map((name) => controlIn(rows[row], name)).find((found) => found !== null) ?? null;
}

/** The tab stop among a lane's `count` matches, and the handlers of their list. */
export function useRovingFocus(count: number) {
  const [place, setPlace] = useState<HitPlace>({ row: 0, control: CONTROLS[0] });
  const onFocusCapture = (event: FocusEvent & { currentTarget: Element }) => {
    const found = placeOf(event.target as Element, event.currentTarget);
    if (found) setPlace(found);
  };
  const onKeyDown = (event: KeyboardEvent & { currentTarget: Element }) => {
    const found = placeOf(event.target as Element, event.currentTarget);
    if (!found || !/^Arrow/.test(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = neighbour(event.key, found, event.currentTarget);
    if (next) next.focus();
    // up from the first match and down from the last lead to the next lane; left and right do not move the play-head here
    if (next || event.key === "ArrowLeft" || event.key === "ArrowRight") event.preventDefault();
  };
  return { tabStop: { ...place, row: Math.min(place.row, count - 1) }, onFocusCapture, onKeyDown };
}

/** Give the focus of a control that goes away to the control that takes its place, or to its lane. */
export function useKeptFocus(list: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const lanes = list.current;
    if (!lanes) return;
    let last: { element: Element; lane: number; place: HitPlace | null } | null = null;
    const remember = (event: FocusEvent) => {
      const element = event.target as Element;
      const lane = [...lanes.children].findIndex((child) => child.contains(element));
      const within = lanes.children[lane];
      last = within ? { element, lane, place: placeOf(element, within) } : null;
    };
    const observer = new MutationObserver(() => {
      if (!last || last.element.isConnected || document.activeElement !== document.body) return;
      const lane = lanes.children[Math.min(last.lane, lanes.children.length - 1)];
      if (!(lane instanceof HTMLElement)) return;
      const rows = rowsIn(lane);
      const row = last.place && rows[Math.min(last.place.row, rows.length - 1)];
      const next = (row && last.place && controlIn(row, last.place.control)) ?? lane;
      next.focus({ preventScroll: true });
    });
    document.addEventListener("focusin", remember);
    observer.observe(lanes, { childList: true, subtree: true });
    return () => {
      document.removeEventListener("focusin", remember);
      observer.disconnect();
    };
  }, [list]);
}
