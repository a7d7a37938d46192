/** The waveform's container; keeps its height while the drawing loads or cannot be made. */
import { useEffect, useRef } from "preact/hooks";
import { referencePlays } from "../audio/player";
import { decodedTrack } from "./state";

export function Waveform() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let end: (() => void) | null = null;
    let gone = false;
    import("./drawWaveform").then(
      ({ drawWave }) => {
        if (!gone && box.current) end = drawWave(box.current);
      },
      () => undefined,
    ); // the server is away: everything except the drawing works
    return () => {
      gone = true;
      end?.();
    };
  }, []);
  return (
    <div class="wave" data-test="waveform" data-state={decodedTrack.value === null ? "loading" : "ready"}>
      <div ref={box} class="wave-box" role="img" aria-label="Waveform of the track. Drag to select a part." />
      {(decodedTrack.value === false || referencePlays.value === false) && (
        <p class="wave-note" data-test="wave-note">
          {referencePlays.value === false
            ? "Your browser cannot play this format. The answer and the previews still work."
            : "Your browser cannot draw this waveform. Everything else works."}
        </p>
      )}
    </div>
  );
}
