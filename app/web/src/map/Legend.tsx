/** The families on the map with colours and counts; each is a filter button. */
import type { MapPoint } from "../api/types";
import { Button } from "../ui/Button";
import { familyName } from "../ui/Family";

interface LegendProps {
  points: readonly MapPoint[];
  only: ReadonlySet<string>; // family names, "none" for unknown; empty: show all
  onOnly: (only: ReadonlySet<string>) => void;
}

export function familyKey({ family }: Pick<MapPoint, "family">): string {
  return family ?? "none";
}

/** The number of points per family, largest first, unknown last. */
export function familyCounts(points: readonly MapPoint[]): [family: string, count: number][] {
  const counts = new Map<string, number>();
  for (const point of points) counts.set(familyKey(point), (counts.get(familyKey(point)) ?? 0) + 1);
  const weight = ([family, count]: [string, number]) => (family === "none" ? -1 : count);
  return [...counts].sort((one, other) => weight(other) - weight(one) || (one[0] < other[0] ? -1 : 1));
}

export function Legend({ points, only, onOnly }: LegendProps) {
  const toggle = (family: string) => {
    const next = new Set(only);
    if (!next.delete(family)) next.add(family);
    onOnly(next);
  };
  return (
    <fieldset class="legend" data-test="legend">
      <legend class="unseen">Families to show</legend>
      {familyCounts(points).map(([family, count]) => (
        <button
          key={family}
          type="button"
          class="chip legend-chip"
          data-test="legend-family"
          data-family={family}
          aria-pressed={only.has(family)}
          data-faint={(only.size > 0 && !only.has(family)) || undefined}
          onClick={() => toggle(family)}
        >
          <i aria-hidden="true" />
          {familyName(family === "none" ? null : family)} <b>{count}</b>
        </button>
      ))}
      {only.size > 0 && (
        <Button kind="quiet" icon="close" data-test="legend-all" onClick={() => onOnly(new Set())}>
          Show all
        </Button>
      )}
    </fieldset>
  );
}
