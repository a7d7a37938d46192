/** The keys of the query view: play, seek, walk through lanes, play hits by number, compare, undo elsewhere. */
import { useMemo } from "preact/hooks";
import { position, seek } from "../audio/player";
import { type Shortcut, useShortcuts } from "../ui/keys";
import { switchSides, toggleHit, toggleReference } from "./comparing";
import { toggleLock } from "./deeds";
import { hitsOf, type Lane } from "./lanes";
import { currentLane, duration, shown } from "./state";

const STEP_SECONDS = 2;

/** The lane that has the keys: the current one, else the first. */
function laneNow(): Lane | undefined {
  const { lanes } = shown.value;
  return lanes.find((lane) => lane.key === currentLane.value) ?? lanes[0];
}

function moveLane(step: number): void {
  const { lanes } = shown.value;
  const at = lanes.findIndex((lane) => lane.key === currentLane.value);
  const next = Math.max(0, Math.min(lanes.length - 1, at + (at < 0 && step < 0 ? 1 : step)));
  currentLane.value = lanes[next]?.key ?? null;
  const element = document.getElementById(`lane-${next + 1}`);
  element?.focus({ preventScroll: true });
  element?.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

function step(seconds: number): void {
  seek(Math.min(Math.max(0, duration.value - 0.05), position.value + seconds));
}

function playNth(event: KeyboardEvent): void {
  const lane = laneNow();
  const hit = lane && hitsOf(lane, shown.value.excluded)[Number(event.key) - 1];
  if (lane && hit) toggleHit(lane, hit);
}

function focusSearch(): void {
  document.querySelector<HTMLElement>("[data-test=library-select]")?.focus();
}

const KEYS: Shortcut[] = [
  { keys: [" "], shown: "Space", does: "play or stop", run: toggleReference },
  {
    keys: ["a"],
    shown: "A",
    does: "switch between the track and the last hit, at one level",
    run: switchSides,
  },
  { keys: ["ArrowLeft"], shown: "←", does: "back two seconds", run: () => step(-STEP_SECONDS) },
  { keys: ["ArrowRight"], shown: "→", does: "on two seconds", run: () => step(STEP_SECONDS) },
  { keys: ["ArrowUp"], shown: "↑", does: "lane above", run: () => moveLane(-1) },
  { keys: ["ArrowDown"], shown: "↓", does: "lane below", run: () => moveLane(1) },
  {
    keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
    shown: "1 – 9",
    does: "play that hit of the lane",
    run: playNth,
  },
  {
    keys: ["l"],
    shown: "L",
    does: "lock or unlock the lane",
    run: () => {
      const lane = laneNow();
      if (lane) toggleLock(lane);
    },
  },
  { keys: ["/"], shown: "/", does: "go to the library and family filters", run: focusSearch },
];
const NONE: Shortcut[] = [];

/** Make them work while the view is shown. */
export function useQueryKeys(active: boolean): void {
  useShortcuts(useMemo(() => (active ? KEYS : NONE), [active]));
}
