/** The query view: a reference track, and one lane per instrument with matches from the library. */
import { useEffect } from "preact/hooks";
import { ApiProblem, isRetryable } from "../api/problem";
import { stop } from "../audio/player";
import { updateLibrary } from "../library/updates";
import { currentLibrary } from "../state/libraries";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Problem } from "../ui/Problem";
import { Board } from "./Board";
import { Filters } from "./Filters";
import { Recorder } from "./Recorder";
import { openStoredQuery, queryFile } from "./runQuery";
import { recorderOpen, SourceBar } from "./SourceBar";
import { Status } from "./Status";
import { EMPTY_STATE, queryProblem, queryProgress, queryState, retry, updateState } from "./state";
import { dragging, pendingTrack, submitFiles, useDropAndPaste } from "./trackInput";
import { useQueryKeys } from "./useQueryKeys";
import { Welcome } from "./Welcome";
import "../styles/query.css";
import "../styles/board.css";
import "../styles/heard.css";
import "../styles/lanes.css";
import "../styles/hits.css";
import "../styles/narrow.css";
import "../styles/welcome.css";

export function QueryView({ shown: active, id }: { shown: boolean; id: string | null }) {
  useDropAndPaste(active);
  useQueryKeys(active);
  useEffect(() => {
    if (!active) stop();
    else if (id && id !== queryState.value.answer?.id) void openStoredQuery(id);
    else if (!id && queryState.value.answer && !queryProgress.value) updateState(EMPTY_STATE); // back to the first screen
  }, [active, id]);
  const { source } = queryState.value;
  return (
    <section class="query" data-test="query" aria-label="Listen">
      {source && <SourceBar />}
      <div class="ask">
        <Filters />
        {(source || queryProgress.value) && <Status />}
      </div>
      {queryProblem.value !== null && <ProblemPanel />}
      {source ? <Board /> : !queryProgress.value && <Welcome />}
      {dragging.value && (
        <div class="drop-over" aria-hidden="true">
          <p>Drop to find its instruments</p>
        </div>
      )}
      <ReplaceTrackDialog />
      {recorderOpen.value && (
        <Recorder
          onClose={() => {
            recorderOpen.value = false;
          }}
          onRecorded={(file) => {
            recorderOpen.value = false;
            submitFiles([file]);
          }}
        />
      )}
    </section>
  );
}

function ProblemPanel() {
  const dismiss = () => {
    queryProblem.value = null;
  };
  const error = queryProblem.value;
  const library = currentLibrary.value;
  return (
    <Problem error={error} onClose={dismiss} floating>
      {error instanceof ApiProblem && error.kind === "encoder-mismatch" && library && (
        <Button
          kind="primary"
          data-test="update"
          onClick={async () => {
            await updateLibrary(library);
            retry.value();
          }}
        >
          Update
        </Button>
      )}
      {isRetryable(error) && (
        <Button data-test="retry" onClick={() => retry.value()}>
          Try again
        </Button>
      )}
    </Problem>
  );
}

/** A second track arrived while a query runs: ask before replacing the first. */
function ReplaceTrackDialog() {
  const next = pendingTrack.value;
  if (!next) return null;
  const keep = () => {
    pendingTrack.value = null;
  };
  const replace = () => {
    pendingTrack.value = null;
    void queryFile(next);
  };
  return (
    <Dialog
      title="A query is running"
      test="which-track"
      onClose={keep}
      actions={
        <>
          <Button data-test="keep" onClick={keep}>
            Keep the current track
          </Button>
          <Button kind="primary" data-test="replace" onClick={replace}>
            Use the new track
          </Button>
        </>
      }
    >
      <p>
        {queryState.value.source?.name ?? "A track"} is still being analysed. Keep it, or analyse {next.name}{" "}
        instead?
      </p>
    </Dialog>
  );
}
