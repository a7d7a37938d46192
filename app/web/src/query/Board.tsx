/** The track and its instruments on one time axis: waveform, ruler, and one lane per instrument. */
import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { position } from "../audio/player";
import { Heard } from "./Heard";
import { LaneRow } from "./LaneRow";
import { useKeptFocus } from "./lanesFocus";
import { Ruler } from "./Ruler";
import { SelectionBar } from "./SelectionBar";
import { queryProgress, queryState, visibleSpan } from "./state";
import { Transport } from "./Transport";
import { Waveform } from "./Waveform";

export function Board() {
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  useKeptFocus(list);
  useSignalEffect(() => {
    const [start, end] = visibleSpan.value;
    const share = (position.value - start) / Math.max(end - start, 1e-6);
    box.current?.style.setProperty("--play", String(Math.max(-1, Math.min(2, share)))); // values outside the view are hidden by CSS
  });
  const { answer, lanes } = queryState.value;
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
      {answer && <Heard answer={answer} />}
      <ol
        ref={list}
        class="lanes"
        data-test="lanes"
        data-busy={queryProgress.value !== null}
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
      {!answer && queryProgress.value && <Waiting />}
    </div>
  );
}

/** Placeholder lanes, so that the page does not jump when the answer arrives. */
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
