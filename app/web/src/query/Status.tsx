/** One status line with a fixed place: the progress of a running query, or a summary of the answer. */

import type { QueryAnswer } from "../api/types";
import { currentLibrary } from "../state/libraries";
import { Button } from "../ui/Button";
import { Progress } from "../ui/Progress";
import { showHidden } from "./actions";
import { heardWords, type Lane } from "./lanes";
import { cancelQuery, runQuery } from "./runQuery";
import { queryProgress, queryState } from "./state";

export function Status() {
  const { source, answer, lanes, excluded } = queryState.value;
  const library = currentLibrary.value;
  const now = queryProgress.value;
  if (now)
    return (
      <div class="status status-busy">
        <Progress
          text={now.share === null ? now.text : `${now.text}: ${Math.round(100 * now.share)}%`}
          share={now.share}
        />
        <Button data-test="cancel" onClick={cancelQuery}>
          Cancel
        </Button>
      </div>
    );
  return (
    <div class="status">
      <p role="status" data-test="summary">
        {answer && <Summary answer={answer} lanes={lanes} />}
      </p>
      {excluded.size > 0 && (
        <Button
          kind="quiet"
          data-test="allow-all"
          title={[...excluded.values()].join(", ")}
          onClick={showHidden}
        >
          {excluded.size} hidden · Show again
        </Button>
      )}
      {source && !answer && (
        <Button kind="primary" data-test="ask" onClick={() => void runQuery()}>
          Find instruments
        </Button>
      )}
      {answer && library && library.id !== answer.library.id && library.num_instruments > 0 && (
        <Button data-test="ask-chosen" onClick={() => void runQuery()}>
          Match with {library.name}
        </Button>
      )}
    </div>
  );
}

function Summary({ answer: { slots, library }, lanes }: { answer: QueryAnswer; lanes: readonly Lane[] }) {
  const heard = heardWords(slots, lanes);
  if (slots.length === 0) return <>{heard}</>;
  if (!slots.some((slot) => slot.close)) return <>{`${heard}, no match in ${library.name}`}</>;
  return (
    <>
      {heard}
      <span class="quiet">, matched with {library.name}</span>
    </>
  );
}
