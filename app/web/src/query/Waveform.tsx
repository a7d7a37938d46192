/** The waveform's place: its height is kept while the picture is on its way, or where there can be none. */
import { useEffect, useRef } from "preact/hooks";
import { referencePlays } from "../audio/player";
import { drawing } from "./state";

export function Waveform() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let end: (() => void) | null = null;
    let gone = false;
    import("./wave").then(
      ({ drawWave }) => {
        if (!gone && box.current) end = drawWave(box.current);
      },
      () => undefined,
    ); // the server is away: everything but the drawing works
    return () => {
      gone = true;
      end?.();
    };
  }, []);
  return (
    <div class="wave" data-test="waveform" data-state={drawing.value === null ? "loading" : "ready"}>
      <div ref={box} class="wave-box" role="img" aria-label="Waveform of the track; drag to select a part" />
      {(drawing.value === false || referencePlays.value === false) && (
        <p class="wave-note" data-test="wave-note">
          {referencePlays.value === false
            ? "Your browser cannot play this format; the lanes are right and previews still play."
            : "Your browser cannot draw this format; everything else works."}
        </p>
      )}
    </div>
  );
}
