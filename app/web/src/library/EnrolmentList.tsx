/** What is being added, and how it ended: a line each, with a bar, cancel, and another try where one makes sense. */
import { Button } from "../ui/Button";
import { Icon, type IconName } from "../ui/icons";
import { Progress } from "../ui/Progress";
import {
  cancelEnrolment,
  dismissEnrolment,
  type Enrolment,
  enrolments,
  isOver,
  type Phase,
  tryAgain,
} from "./enrolments";
import { openLibrary } from "./libraryChanges";

const ENDINGS: Partial<Record<Phase, { icon: IconName; words: string }>> = {
  done: { icon: "check", words: "Added" },
  failed: { icon: "not", words: "Nothing was added" },
  cancelled: { icon: "close", words: "Cancelled" },
};

export function EnrolmentList({ open }: { open: string | null }) {
  if (!enrolments.value.length) return null;
  return (
    <ul class="enrolments" aria-label="Being added">
      {enrolments.value.map((item) => (
        <li key={item.id} class="enrolment" data-test="job" data-state={item.phase} data-id={item.id}>
          {isOver(item) ? <Ended item={item} /> : <Running item={item} />}
          <div class="enrolment-tools">
            {item.library.id !== open && (
              <Button kind="quiet" onClick={() => openLibrary(item.library)}>
                Open “{item.library.name}”
              </Button>
            )}
            {isOver(item) && item.phase !== "done" && item.again.length > 0 && (
              <Button icon="undo" data-test="try-again" onClick={() => tryAgain(item.id)}>
                Try again
              </Button>
            )}
            {isOver(item) ? (
              <Button kind="quiet" icon="close" label="Dismiss" onClick={() => dismissEnrolment(item.id)} />
            ) : (
              <Button data-test="cancel" onClick={() => cancelEnrolment(item.id)}>
                Cancel
              </Button>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

function Running({ item }: { item: Enrolment }) {
  return (
    <div class="enrolment-what">
      <strong>{item.name}</strong>
      <Progress text={item.text || "Starting…"} share={item.share} test="progress" />
    </div>
  );
}

function Ended({ item }: { item: Enrolment }) {
  const ending = ENDINGS[item.phase];
  return (
    <div class="enrolment-what" role={item.phase === "failed" ? "alert" : "status"}>
      <strong>
        {ending && <Icon name={ending.icon} />}
        {item.name}
      </strong>
      <p class={item.phase === "failed" ? "enrolment-fault" : "quiet"}>
        {item.phase === "failed" ? `${ending?.words}: ${item.text}` : item.text}
      </p>
    </div>
  );
}
