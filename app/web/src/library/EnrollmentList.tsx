/** Running and finished enrollments: one row each, with a progress bar, cancel and retry. */
import { Button } from "../ui/Button";
import { Icon, type IconName } from "../ui/icons";
import { Progress } from "../ui/Progress";
import {
  cancelEnrollment,
  dismissEnrollment,
  type Enrollment,
  enrollments,
  isOver,
  type Phase,
  takeOut,
  tryAgain,
} from "./enrollments";
import { openLibrary } from "./libraryActions";

const ENDINGS: Partial<Record<Phase, { icon: IconName; words: string }>> = {
  done: { icon: "check", words: "Added" },
  failed: { icon: "not", words: "Not everything was added" },
  cancelled: { icon: "close", words: "Cancelled" },
};

export function EnrollmentList({ open }: { open: string | null }) {
  if (!enrollments.value.length) return null;
  return (
    <ul class="enrollments" aria-label="Instruments being added">
      {enrollments.value.map((item) => (
        <li key={item.id} class="enrollment" data-test="job" data-state={item.phase} data-id={item.id}>
          {isOver(item) ? <Ended item={item} /> : <Running item={item} />}
          <div class="enrollment-tools">
            {item.library.id !== open && (
              <Button kind="quiet" onClick={() => openLibrary(item.library)}>
                Open “{item.library.name}”
              </Button>
            )}
            {isOver(item) && item.kept && (
              <Button icon="trash" data-test="take-out" onClick={() => void takeOut(item.id)}>
                Take them out
              </Button>
            )}
            {isOver(item) && item.phase !== "done" && item.again.length > 0 && (
              <Button icon="undo" data-test="try-again" onClick={() => tryAgain(item.id)}>
                Try again
              </Button>
            )}
            {isOver(item) ? (
              <Button kind="quiet" icon="close" label="Dismiss" onClick={() => dismissEnrollment(item.id)} />
            ) : (
              <Button data-test="cancel" onClick={() => cancelEnrollment(item.id)}>
                Cancel
              </Button>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

function Running({ item }: { item: Enrollment }) {
  return (
    <div class="enrollment-what">
      <strong>{item.name}</strong>
      <Progress text={item.text || "Starting…"} share={item.share} test="progress" />
    </div>
  );
}

function Ended({ item }: { item: Enrollment }) {
  const ending = ENDINGS[item.phase];
  return (
    <div class="enrollment-what" role={item.phase === "failed" ? "alert" : "status"}>
      <strong>
        {ending && <Icon name={ending.icon} />}
        {item.name}
      </strong>
      <p class={item.phase === "failed" ? "enrollment-fault" : "quiet"}>
        {item.phase === "failed" ? `${ending?.words}: ${item.text}` : item.text}
      </p>
    </div>
  );
}
