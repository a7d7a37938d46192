/** Beside the map: what is chosen and what sounds like it, or, while nothing is, how to use the map and the query's slots. */
import type { Hit, MapPoint } from "../api/types";
import { findInLibrary } from "../library/sought";
import { Button } from "../ui/Button";
import { FamilyChip } from "../ui/Family";
import { PlayButton } from "../ui/PlayButton";
import { Problem } from "../ui/Problem";
import { previewOf } from "./hearing";
import type { Mark } from "./slots";

interface SidePanelProps {
  library: string;
  chosen: MapPoint | null;
  similar: readonly Hit[] | null; // null: being fetched
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
      Instruments that sound alike lie together. Rest the pointer on a point to hear it, click it for those
      most like it.
      {marks.length === 0 && " Ask with a track in Listen, and its instruments are marked here too."}
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
        <PlayButton url={previewOf(id)} label={name} />
        <h3>{name}</h3>
        <Button kind="quiet" icon="close" label="Nothing chosen (Esc)" onClick={() => onChoose(null)} />
      </div>
      <div class="map-chosen-tools">
        <FamilyChip family={family} />
        <Button icon="search" data-test="find" onClick={() => findInLibrary({ library, id, name })}>
          Find it in the library
        </Button>
      </div>
      <h4>Most like it</h4>
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
      <span>{percent} %</span>
    </span>
  );
}
