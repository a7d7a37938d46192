/** The map of one library with legend, side panel and an equivalent list. */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Library, LibraryMap, MapPoint } from "../api/types";
import { queryState } from "../query/state";
import { Button } from "../ui/Button";
import { Problem } from "../ui/Problem";
import { Progress } from "../ui/Progress";
import { Camera } from "./camera";
import type { Scene } from "./draw";
import { hoverPreview, hoverPreviewEnabled } from "./hoverPreview";
import { familyKey, Legend } from "./Legend";
import { MapCanvas } from "./MapCanvas";
import { PointList } from "./PointList";
import { SidePanel } from "./SidePanel";
import { marksOf, queryFor } from "./slotMarks";
import { useMap, useSimilar } from "./useMap";
import { useMapKeys } from "./useMapKeys";

export function LibraryMapView({ library }: { library: Library }) {
  const tries = useSignal(0);
  const query = queryFor(library.id, queryState.value.answer);
  const { value: map, problem } = useMap(library.id, `${library.num_instruments} ${tries.value}`, query);
  if (problem !== null)
    return (
      <Problem error={problem}>
        <Button
          onClick={() => {
            tries.value += 1;
          }}
        >
          Try again
        </Button>
      </Problem>
    );
  if (!map)
    return (
      <div class="map-wait">
        <Progress text="Drawing the map…" share={null} />
      </div>
    );
  return <Drawn library={library} map={map} query={query} />;
}

function Drawn({ library, map, query }: { library: Library; map: LibraryMap; query: string | null }) {
  const only = useSignal<ReadonlySet<string>>(new Set());
  const pointed = useSignal<MapPoint | null>(null);
  const chosen = useSignal<MapPoint | null>(null);
  const asList = useSignal(false);
  const camera = useMemo(() => new Camera(), [map.library_id]);
  const byId = useMemo(() => new Map(map.points.map((item) => [item.instrument_id, item])), [map]);
  const { value: hits, problem } = useSimilar(chosen.value?.instrument_id ?? null);
  const { lanes, answer } = queryState.value;
  const marks = useMemo(() => marksOf(map.slots, lanes, query ? answer : null), [map, lanes, answer, query]);
  const isShown = useMemo(
    () => (item: MapPoint) => only.value.size === 0 || only.value.has(familyKey(item)),
    [only.value],
  );
  const points = useMemo(() => map.points.filter(isShown), [map, isShown]);
  const scene = useMemo<Scene>(
    () => ({
      points: map.points,
      isShown,
      pointed: pointed.value,
      chosen: chosen.value,
      similar: (chosen.value && hits ? hits : []).flatMap((hit) => byId.get(hit.instrument_id) ?? []),
      marks,
    }),
    [map, isShown, pointed.value, chosen.value, hits, marks],
  );
  const onPoint = (item: MapPoint | null) => {
    if (item === pointed.value) return;
    pointed.value = item;
    hoverPreview(item);
  };
  const choose = (id: string | null) => {
    chosen.value = (id && byId.get(id)) || null;
    if (chosen.value && !asList.value) camera.reveal(chosen.value);
    hoverPreview(chosen.value);
  };
  useMapKeys({
    points,
    pointed: pointed.value,
    chosen: chosen.value,
    similar: hits ?? [],
    camera: asList.value ? null : camera,
    onPoint,
    onChoose: choose,
  });
  return (
    <>
      <div class="map-bar">
        <Legend
          points={map.points}
          only={only.value}
          onOnly={(next) => {
            only.value = next;
          }}
        />
        <div class="map-switches">
          <Button
            icon="volume"
            pressed={hoverPreviewEnabled.value}
            label="Play instruments on hover"
            data-test="hears"
            onClick={() => {
              hoverPreviewEnabled.value = !hoverPreviewEnabled.value;
            }}
          />
          <Button
            pressed={asList.value}
            data-test="as-list"
            onClick={() => {
              asList.value = !asList.value;
            }}
          >
            {asList.value ? "Show map" : "Show list"}
          </Button>
        </div>
      </div>
      <div class="map-body">
        {asList.value ? (
          <PointList
            points={points}
            chosen={chosen.value}
            label={`Instruments in ${library.name} by family`}
            onChoose={choose}
          />
        ) : (
          <MapCanvas
            scene={scene}
            camera={camera}
            label={`Map of ${map.points.length} instruments. Arrow keys move between instruments and play them, Enter lists similar ones. “Show list” shows the same as text.`}
            onPoint={onPoint}
            onChoose={(item) => choose(item?.instrument_id ?? null)}
          />
        )}
        <SidePanel
          library={library.id}
          chosen={chosen.value}
          similar={hits}
          problem={problem}
          marks={marks}
          onChoose={choose}
          onMark={(mark) => (mark.instrument ? choose(mark.instrument) : camera.reveal(mark))}
        />
      </div>
      <p class="unseen" role="status">
        {pointed.value ? `${pointed.value.name}, ${pointed.value.family ?? "unknown family"}` : ""}
      </p>
      <p class="quiet map-method">{methodWords(map)}</p>
    </>
  );
}

function methodWords({ method, explained_variance: shares }: LibraryMap): string {
  if (method === "t-SNE") return "Placed by t-SNE. Neighbours are meaningful; long distances are not.";
  const share = shares ? Math.round(100 * (shares[0] + shares[1])) : null;
  return `Placed by principal component analysis${share === null ? "" : `, which explains ${share}% of the variance`}.`;
}
