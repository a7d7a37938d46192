/** The panel beside the map: the chosen instrument and similar ones, or a hint; and the slots of the query. */
import type { Hit, MapPoint } from "../api/types";
import { revealInLibrary } from "../library/reveal";
import { Button } from "../ui/Button";
import { FamilyChip } from "../ui/Family";
import { PlayButton } from "../ui/PlayButton";
import { Problem } from "../ui/Problem";
import { previewUrl } from "./hoverPreview";
import type { Mark } from "./slotMarks";

interface SidePanelProps {
  library: string;
  chosen: MapPoint | null;
  similar: readonly Hit[] | null; // null: loading
  problem: unknown;
  marks: readonly Mark[];
  onChoose: (instrument: string | null) => void;
  onMark: (mark: Mark) => void;
}

export function SidePanel(props: SidePanelProps) {
  return (
    <aside class="map-side" aria-label="Similar instruments">
      {props.marks.length > 0 && <Marks {...props} />}
      {props.chosen ? <Chosen {...props} chosen={props.chosen} /> : <Hint marks={props.marks} />}
    </aside>
  );
}

function Hint({ marks }: { marks: readonly Mark[] }) {
  return (
    <p class="quiet map-hint">
      Similar instruments are close together. Hover over a point to hear it; click it for the most similar
      ones.
      {marks.length === 0 && " Drop a track in the Listen view to mark its instruments here."}
    </p>
  );
}

function Marks({ marks, onMark }: SidePanelProps) {
  return (
    <section>
      <h3>Heard in your track</h3>
      <ul class="marks">
        {marks.map((mark) => (
          <li key={mark.number}>
            <button type="button" data-test="map-slot" onClick={() => onMark(mark)}>
              <span class="mark" data-lane={mark.colour} aria-hidden="true">
                <b>{mark.number}</b>
              </span>
              <span>{mark.name}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Chosen({ library, chosen, similar, problem, onChoose }: SidePanelProps & { chosen: MapPoint }) {
  const { instrument_id: id, name, family } = chosen;
  return (
    <section data-test="similar" data-id={id}>
      <div class="map-chosen">
        <PlayButton url={previewUrl(id)} label={name} />
        <h3>{name}</h3>
        <Button kind="quiet" icon="close" label="Clear the selection (Esc)" onClick={() => onChoose(null)} />
      </div>
      <div class="map-chosen-tools">
        <FamilyChip family={family} />
        <Button icon="search" data-test="find" onClick={() => revealInLibrary({ library, id, name })}>
          Show in library
        </Button>
      </div>
      <h4>Most similar</h4>
      {problem !== null && <Problem error={problem} />}
      <ol class="similar" aria-busy={similar === null}>
        {similar?.map((hit, index) => (
          <li key={hit.instrument_id} data-test="similar-row" data-id={hit.instrument_id}>
            <PlayButton url={hit.preview_url} label={hit.name} />
            <button type="button" class="similar-name" onClick={() => onChoose(hit.instrument_id)}>
              {index < 9 && <kbd>{index + 1}</kbd>}
              <span>{hit.name}</span>
            </button>
            <Likeness similarity={hit.similarity} family={hit.family} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Likeness({ similarity, family }: { similarity: number; family: string | null }) {
  const percent = Math.round(100 * Math.max(0, similarity));
  return (
    <span class="likeness" data-family={family ?? "none"}>
      <span class="likeness-bar" aria-hidden="true">
        <i style={{ width: `${percent}%` }} />
      </span>
      <span>{percent}%</span>
    </span>
  );
}
