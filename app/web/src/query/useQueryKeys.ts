/** Keyboard shortcuts of the query view: play, seek, move between lanes, play matches, compare. */
import { useMemo } from "preact/hooks";
import { position, seek } from "../audio/player";
import { loop } from "../state/preferences";
import { type Shortcut, useShortcuts } from "../ui/shortcuts";
import { switchSides, toggleHitPreview, toggleReference } from "./abCompare";
import { toggleLock } from "./actions";
import { toggleIsolation } from "./isolation";
import { hitsOf, type Lane } from "./lanes";
import { currentLane, duration, queryState } from "./state";

const STEP_SECONDS = 2;

/** The lane that shortcuts act on: the current one, else the first. */
function laneNow(): Lane | undefined {
  const { lanes } = queryState.value;
  return lanes.find((lane) => lane.key === currentLane.value) ?? lanes[0];
}

function moveLane(step: number): void {
  const { lanes } = queryState.value;
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
  const hit = lane && hitsOf(lane, queryState.value.excluded)[Number(event.key) - 1];
  if (lane && hit) toggleHitPreview(lane, hit);
}

function isolateLane(how: "solo" | "mute"): void {
  const lane = laneNow();
  if (lane) void toggleIsolation(lane, how);
}

function toggleLoop(): void {
  loop.value = !loop.value;
}

function focusSearch(): void {
  document.querySelector<HTMLElement>("[data-test=library-select]")?.focus();
}

const KEYS: Shortcut[] = [
  { keys: [" "], shown: "Space", does: "play or stop", run: toggleReference },
  {
    keys: ["a"],
    shown: "A",
    does: "switch between the track and the last match, at equal loudness",
    run: switchSides,
  },
  { keys: ["ArrowLeft"], shown: "←", does: "back two seconds", run: () => step(-STEP_SECONDS) },
  { keys: ["ArrowRight"], shown: "→", does: "forward two seconds", run: () => step(STEP_SECONDS) },
  { keys: ["ArrowUp"], shown: "↑", does: "previous lane", run: () => moveLane(-1) },
  { keys: ["ArrowDown"], shown: "↓", does: "next lane", run: () => moveLane(1) },
  {
    keys: [], // lanesFocus.ts
    shown: "← → ↑ ↓",
    does: "in a lane's matches: move between them",
    run: () => undefined,
  },
  {
    keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
    shown: "1 – 9",
    does: "play a match of the lane",
    run: playNth,
  },
  {
    keys: ["s"],
    shown: "S",
    does: "solo: hear the lane alone, or the whole track again (a preview, not a stem)",
    run: () => isolateLane("solo"),
  },
  {
    keys: ["m"],
    shown: "M",
    does: "mute: hear the track without the lane, or the whole track again",
    run: () => isolateLane("mute"),
  },
  {
    keys: ["r"],
    shown: "R",
    does: "repeat the selection, and a match's preview, or play them once",
    run: toggleLoop,
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
  { keys: ["/"], shown: "/", does: "go to the query options", run: focusSearch },
];
const NONE: Shortcut[] = [];

/** Enable the shortcuts while the view is shown. */
export function useQueryKeys(active: boolean): void {
  useShortcuts(useMemo(() => (active ? KEYS : NONE), [active]));
}
