/** One status line with a fixed place: the progress of a running query, or a summary of the answer. */

import type { QueryAnswer } from "../api/types";
import { Button } from "../ui/Button";
import { formatCount } from "../ui/format";
import { Progress } from "../ui/Progress";
import { showHidden } from "./actions";
import { cancelQuery, runQuery } from "./runQuery";
import { queryProgress, queryState } from "./state";

export function Status() {
  const { source, answer, excluded } = queryState.value;
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
        {answer && <Summary answer={answer} />}
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
    </div>
  );
}

function Summary({ answer: { slots, library } }: { answer: QueryAnswer }) {
  if (slots.length === 0) return <>No instruments heard</>;
  const heard = `${formatCount(slots.length, "instrument")} heard`;
  if (!slots.some((slot) => slot.close)) return <>{`${heard}, no match in ${library.name}`}</>;
  return (
    <>
      {heard}
      <span class="quiet">, matched with {library.name}</span>
    </>
  );
}
