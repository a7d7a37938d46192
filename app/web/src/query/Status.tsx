/** One line that always has its place: what a running query does, with cancel; else what the answer says in a sentence. */

import type { QueryAnswer } from "../api/types";
import { Button } from "../ui/Button";
import { Progress } from "../ui/Progress";
import { askNow, cancel } from "./asking";
import { allowAll } from "./deeds";
import { phase, shown } from "./state";

export function Status() {
  const { source, answer, excluded } = shown.value;
  const now = phase.value;
  if (now)
    return (
      <div class="status status-busy">
        <Progress
          text={now.share === null ? now.text : `${now.text}: ${Math.round(100 * now.share)}%`}
          share={now.share}
        />
        <Button data-test="cancel" onClick={cancel}>
          Cancel
        </Button>
      </div>
    );
  return (
    <div class="status">
      <p role="status" data-test="summary">
        {answer && inWords(answer)}
        {answer && <span class="quiet"> in {answer.library.name}</span>}
      </p>
      {excluded.size > 0 && (
        <Button
          kind="quiet"
          data-test="allow-all"
          title={[...excluded.values()].join(", ")}
          onClick={allowAll}
        >
          {excluded.size} refused: allow again
        </Button>
      )}
      {source && !answer && (
        <Button kind="primary" data-test="ask" onClick={() => void askNow()}>
          Find instruments
        </Button>
      )}
    </div>
  );
}

function inWords({ slots }: QueryAnswer): string {
  if (slots.length === 0) return "No instrument heard";
  const what = slots.length === 1 ? "1 instrument heard" : `${slots.length} instruments heard`;
  return slots.some((slot) => slot.close) ? what : `${what}; nothing close`;
}
