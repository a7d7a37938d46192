/** The first screen: where to drop a track, other ways to give one, and the queries of before. */
import { limits } from "../state/server";
import { Button } from "../ui/Button";
import { bytesInWords } from "./accept";
import { History } from "./History";
import { dragging } from "./intake";
import { PickButton, recorderOpen } from "./SourceBar";

export function Welcome() {
  const formats = limits.value.audio_formats.map((format) => format.replace(/^\./, "")).join(", ");
  return (
    <div class="welcome">
      <section class="drop" data-test="drop" data-over={dragging.value} aria-labelledby="drop-title">
        <div class="drop-lanes" aria-hidden="true">
          <i />
          <i />
          <i />
          <i />
        </div>
        <h2 id="drop-title">Drop a track</h2>
        <p class="quiet">Hear which instruments of your library make that sound.</p>
        <div class="drop-ways">
          <PickButton primary />
          <Button
            icon="mic"
            data-test="record"
            onClick={() => {
              recorderOpen.value = true;
            }}
          >
            Record
          </Button>
        </div>
        <p class="drop-formats">
          or paste a file · {formats} · up to {bytesInWords(limits.value.max_upload_bytes)}
        </p>
      </section>
      <section class="recent" aria-labelledby="recent-title">
        <h2 id="recent-title">Earlier queries</h2>
        <History most={6} />
      </section>
    </div>
  );
}
