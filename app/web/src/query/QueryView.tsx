/** The query view: a reference track in, one lane per instrument heard in it, and the library's answers to each. */
import { useEffect } from "preact/hooks";
import { isWorthAnotherTry } from "../api/problem";
import { stop } from "../audio/player";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Problem } from "../ui/Problem";
import { openStored, takeFile } from "./asking";
import { Board } from "./Board";
import { Filters } from "./Filters";
import { dragging, heldBack, offer, useDropAndPaste } from "./intake";
import { Recorder } from "./Recorder";
import { recorderOpen, SourceBar } from "./SourceBar";
import { Status } from "./Status";
import { EMPTY, phase, problem, retry, show, shown } from "./state";
import { useQueryKeys } from "./useQueryKeys";
import { Welcome } from "./Welcome";
import "../styles/query.css";
import "../styles/board.css";
import "../styles/lanes.css";
import "../styles/hits.css";
import "../styles/narrow.css";
import "../styles/welcome.css";

export function QueryView({ shown: active, id }: { shown: boolean; id: string | null }) {
  useDropAndPaste(active);
  useQueryKeys(active);
  useEffect(() => {
    if (!active) stop();
    else if (id && id !== shown.value.answer?.id) void openStored(id);
    else if (!id && shown.value.answer && !phase.value) show(EMPTY); // back to the first screen
  }, [active, id]);
  const { source } = shown.value;
  return (
    <section class="query" data-test="query" aria-label="Listen">
      {source && <SourceBar />}
      <div class="ask">
        <Filters />
        {(source || phase.value) && <Status />}
      </div>
      {problem.value !== null && <Trouble />}
      {source ? <Board /> : !phase.value && <Welcome />}
      {dragging.value && (
        <div class="drop-over" aria-hidden="true">
          <p>Drop it to hear its instruments</p>
        </div>
      )}
      <WhichTrack />
      {recorderOpen.value && (
        <Recorder
          onClose={() => {
            recorderOpen.value = false;
          }}
          onRecorded={(file) => {
            recorderOpen.value = false;
            offer([file]);
          }}
        />
      )}
    </section>
  );
}

function Trouble() {
  const dismiss = () => {
    problem.value = null;
  };
  return (
    <Problem error={problem.value} onClose={dismiss} floating>
      {isWorthAnotherTry(problem.value) && (
        <Button data-test="retry" onClick={() => retry.value()}>
          Try again
        </Button>
      )}
    </Problem>
  );
}

/** A track came while another is being listened to: nothing is thrown away unasked. */
function WhichTrack() {
  const next = heldBack.value;
  if (!next) return null;
  const keep = () => {
    heldBack.value = null;
  };
  const replace = () => {
    heldBack.value = null;
    void takeFile(next);
  };
  return (
    <Dialog
      title="A query is running"
      test="which-track"
      onClose={keep}
      actions={
        <>
          <Button data-test="keep" onClick={keep}>
            Go on
          </Button>
          <Button kind="primary" data-test="replace" onClick={replace}>
            Listen to the new one
          </Button>
        </>
      }
    >
      <p>
        {shown.value.source?.name ?? "A track"} is still being listened to. Go on with it, or stop and listen
        to {next.name}?
      </p>
    </Dialog>
  );
}
