/** The track and what was heard in it, on one time axis: waveform, ruler, then a lane per instrument. */
import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { position } from "../audio/player";
import { LaneRow } from "./LaneRow";
import { Ruler } from "./Ruler";
import { SelectionBar } from "./SelectionBar";
import { phase, shown, view } from "./state";
import { Transport } from "./Transport";
import { Waveform } from "./Waveform";

export function Board() {
  const box = useRef<HTMLDivElement>(null);
  useSignalEffect(() => {
    const [start, end] = view.value;
    const share = (position.value - start) / Math.max(end - start, 1e-6);
    box.current?.style.setProperty("--play", String(Math.max(-1, Math.min(2, share)))); // outside is cut off
  });
  const { answer, lanes } = shown.value;
  return (
    <div ref={box} class="board">
      <div class="track">
        <Transport />
        <div class="track-time">
          <Waveform />
          <span class="playhead" />
        </div>
        <SelectionBar />
        <Ruler />
      </div>
      <ol
        class="lanes"
        data-test="lanes"
        data-busy={phase.value !== null}
        aria-label="Instruments heard in the track"
      >
        {lanes.map((lane, index) => (
          <LaneRow key={lane.key} lane={lane} number={index + 1} />
        ))}
      </ol>
      {answer && lanes.length === 0 && (
        <p class="nothing" data-test="nothing">
          <strong>No instrument stands out in this part.</strong> Select another part, or the whole track.
        </p>
      )}
      {!answer && phase.value && <Waiting />}
    </div>
  );
}

/** Where lanes will be, so that the page does not jump when they come. */
function Waiting() {
  return (
    <div class="waiting" aria-hidden="true">
      {[1, 2, 3].map((row) => (
        <div key={row} class="waiting-lane">
          <i />
          <b />
        </div>
      ))}
    </div>
  );
}
