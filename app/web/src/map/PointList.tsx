/** The map as an accessible list: instruments by family, each with a preview and a button for similar ones. */
import type { MapPoint } from "../api/types";
import { FamilyChip, familyName } from "../ui/Family";
import { PlayButton } from "../ui/PlayButton";
import { VirtualList } from "../ui/VirtualList";
import { previewUrl } from "./hoverPreview";

const ROW_PIXELS = 44;

interface PointListProps {
  points: readonly MapPoint[];
  chosen: MapPoint | null;
  label: string;
  onChoose: (instrument: string) => void;
}

/** Sort by family, then by name; unknown families last. */
export function inOrder(points: readonly MapPoint[]): MapPoint[] {
  const key = ({ family, name }: MapPoint) =>
    `${family ? familyName(family) : "\uffff"}\n${name.toLowerCase()}`;
  return [...points].sort((one, other) => (key(one) < key(other) ? -1 : 1));
}

export function PointList({ points, chosen, label, onChoose }: PointListProps) {
  const ordered = inOrder(points);
  return (
    <VirtualList
      items={ordered}
      rowHeight={ROW_PIXELS}
      label={label}
      keyOf={(point) => point.instrument_id}
      test="map-list"
      row={(point) => (
        <div class="point-row" data-test="map-row" data-id={point.instrument_id}>
          <PlayButton url={previewUrl(point.instrument_id)} label={point.name} />
          <button
            type="button"
            class="similar-name"
            aria-pressed={point === chosen}
            onClick={() => onChoose(point.instrument_id)}
          >
            <span>{point.name}</span>
          </button>
          <FamilyChip family={point.family} />
        </div>
      )}
    />
  );
}
