/** Keyboard shortcuts of the map: arrows move between points, Enter chooses, 1–9 play similar ones, + − 0 zoom. */
import { useMemo, useRef } from "preact/hooks";
import type { Hit, MapPoint } from "../api/types";
import { togglePreview } from "../audio/player";
import { useShortcuts } from "../ui/shortcuts";
import type { Camera } from "./camera";
import { neighbour } from "./geometry";
import { previewUrl } from "./hoverPreview";

const STEP = 1.6;
const DIRECTIONS = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: 1 },
  ArrowDown: { x: 0, y: -1 },
} as const;

export interface MapKeys {
  points: readonly MapPoint[]; // the visible ones
  pointed: MapPoint | null;
  chosen: MapPoint | null;
  similar: readonly Hit[];
  camera: Camera | null; // null: the list is shown, which has its own keys
  onPoint: (point: MapPoint | null) => void;
  onChoose: (instrument: string | null) => void;
}

export function useMapKeys(now: MapKeys): void {
  const latest = useRef(now);
  latest.current = now;
  const asMap = now.camera !== null;
  const table = useMemo(() => {
    const go = (event: KeyboardEvent) => {
      const { points, pointed, chosen, camera, onPoint } = latest.current;
      const from = pointed ?? chosen;
      const direction = DIRECTIONS[event.key as keyof typeof DIRECTIONS];
      const next = from ? neighbour(points, from, direction) : points[0];
      if (!next) return;
      camera?.reveal(next);
      onPoint(next);
    };
    const play = () => {
      const target = latest.current.pointed ?? latest.current.chosen;
      if (target) togglePreview(previewUrl(target.instrument_id), target.name);
    };
    const playSimilar = (event: KeyboardEvent) => {
      const hit = latest.current.similar[Number(event.key) - 1];
      if (hit) togglePreview(hit.preview_url, hit.name);
    };
    const both = [
      {
        keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
        shown: "1 – 9",
        does: "play a similar instrument",
        run: playSimilar,
      },
      {
        keys: ["Escape"],
        shown: "Esc",
        does: "clear the selection",
        run: () => latest.current.onChoose(null),
      },
      { keys: [" "], shown: "Space", does: "play or stop", run: play },
    ];
    if (!asMap) return both;
    const choose = () => {
      if (latest.current.pointed) latest.current.onChoose(latest.current.pointed.instrument_id);
    };
    const zoom = (factor: number) => () => latest.current.camera?.step(factor);
    return [
      {
        keys: Object.keys(DIRECTIONS),
        shown: "← ↑ ↓ →",
        does: "move to the next point and play it",
        run: go,
      },
      { keys: ["Enter"], shown: "Enter", does: "list similar instruments", run: choose },
      ...both,
      { keys: ["+", "="], shown: "+", does: "zoom in", run: zoom(STEP) },
      { keys: ["-"], shown: "−", does: "zoom out", run: zoom(1 / STEP) },
      { keys: ["0"], shown: "0", does: "show all", run: () => latest.current.camera?.showAll() },
    ];
  }, [asMap]);
  useShortcuts(table);
}
