/** The state of a library that another encoder made: what cannot be searched, a button to update it, and the progress. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Job, Library } from "../api/types";
import { Button } from "../ui/Button";
import { Progress } from "../ui/Progress";
import { enrollmentsEnded } from "./enrollments";
import { cancelUpdate, endedUpdates, followUpdate, updateLibrary } from "./updates";
import { describePreviews, describeState, describeUpdate } from "./updateWords";

export function UpdateNotice({ library }: { library: Library }) {
  if (library.update_job) return <RunningUpdate library={library} job={library.update_job} />;
  const words = describeState(library, endedUpdates.value.get(library.id) ?? null);
  const previews = describePreviews(library);
  return (
    <>
      {words && (
        <section class="update" role="status" data-test="stale" data-state={library.state}>
          <p>
            <strong>{words.title}</strong> {words.advice}
          </p>
          {library.writable && (
            <Button kind="primary" data-test="update" onClick={() => void updateLibrary(library)}>
              Update
            </Button>
          )}
        </section>
      )}
      {previews && (
        <p class="quiet" data-test="from-previews">
          {previews}
        </p>
      )}
    </>
  );
}

function RunningUpdate({ library, job }: { library: Library; job: string }) {
  const seen = useSignal<Job | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    const show = (now: Job) => {
      seen.value = now;
    };
    followUpdate(library.id, job, show, controller.signal).then(
      () => {
        enrollmentsEnded.value += 1; // the instruments' states have changed
      },
      () => undefined, // another library was opened
    );
    return () => controller.abort();
  }, [library.id, job]);
  const now = seen.value;
  return (
    <section class="update" data-test="updating">
      <Progress
        text={now ? describeUpdate(now) : "Updating…"}
        share={now?.total ? now.done / now.total : null}
      />
      <Button data-test="cancel-update" onClick={() => void cancelUpdate(job)}>
        Cancel
      </Button>
    </section>
  );
}
