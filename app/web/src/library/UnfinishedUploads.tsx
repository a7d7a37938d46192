/** The uploads that were cut off: how far each is, and how it goes on. */
import { Button } from "../ui/Button";
import { discardUpload, unfinishedUploads, uploadsBeingSent } from "./unfinishedUploads";

export function UnfinishedUploads() {
  const resting = unfinishedUploads.value.filter(({ id }) => !uploadsBeingSent.value.includes(id));
  if (!resting.length) return null;
  return (
    <ul class="enrollments" aria-label="Unfinished uploads">
      {resting.map(({ id, name, share }) => (
        <li key={id} class="enrollment" data-test="unfinished">
          <div class="enrollment-what">
            <strong>{name}</strong>
            <p class="quiet">
              {Math.floor(100 * share)}% uploaded. Add the same file again, and the upload goes on from there.
            </p>
          </div>
          <div class="enrollment-tools">
            <Button icon="trash" data-test="discard-upload" onClick={() => void discardUpload(id)}>
              Discard
            </Button>
          </div>
        </li>
      ))}
    </ul>
  );
}
