/** The first screen: drop area, other ways to open a track, and earlier queries. */
import { limits } from "../state/server";
import { Button } from "../ui/Button";
import { formatBytes } from "../ui/format";
import { queryDemo } from "./demo";
import { History } from "./History";
import { PickButton, recorderOpen } from "./SourceBar";
import { dragging } from "./trackInput";

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
        <p class="quiet">Find the instruments in your library that sound like it.</p>
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
          <Button icon="play" data-test="demo" onClick={() => void queryDemo()}>
            Try a demo
          </Button>
        </div>
        <p class="drop-formats">
          or paste a file · {formats} · up to {formatBytes(limits.value.max_upload_bytes)}
        </p>
      </section>
      <section class="recent" aria-labelledby="recent-title">
        <h2 id="recent-title">Earlier queries</h2>
        <History most={6} />
      </section>
    </div>
  );
}
