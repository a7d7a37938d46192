/** The review before upload: number of instruments, skipped files, and the target library. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Library } from "../api/types";
import { libraries } from "../state/libraries";
import { limits } from "../state/server";
import { showProblem } from "../state/toasts";
import { Button } from "../ui/Button";
import { formatBytes, formatCount } from "../ui/format";
import type { DroppedFiles } from "./droppedFiles";
import type { Choice, Grouping } from "./grouping";
import { planUpload, type UploadPlan } from "./uploadPlan";

const NEW = "new"; // select value for a library that does not exist yet
const GROUPING_WORDS: Record<Grouping, string> = {
  folders: "One instrument per folder",
  innermost: "One instrument per innermost folder",
  files: "One instrument per file",
  one: "All files as one instrument",
};

interface ReviewProps {
  dropped: DroppedFiles;
  library: Library | null;
  onCancel: () => void;
  onAdd: (target: Library | string, plan: UploadPlan) => Promise<void>; // a library, or the name of a new one
}

export function Review({ dropped, library, onCancel, onAdd }: ReviewProps) {
  const grouping = useSignal<Grouping | null>(null);
  const plan = planUpload(dropped, limits.value, grouping.value);
  const newName = freeName(plan.library, libraries.value);
  const target = useSignal(library?.writable && !library.default ? library.id : NEW);
  const busy = useSignal(false);
  const first = useRef<HTMLElement>(null);
  useEffect(() => first.current?.querySelector<HTMLElement>("[data-test=add]")?.focus(), []);
  if (!plan.parts.length) return <NothingToAdd plan={plan} onClose={onCancel} />;
  const add = async () => {
    busy.value = true;
    try {
      await onAdd(libraries.value.find(({ id }) => id === target.value) ?? newName, plan);
    } catch (error) {
      showProblem(error);
    }
    busy.value = false;
  };
  return (
    <section ref={first} class="review" data-test="review" aria-label="Review before adding">
      <p class="review-what">
        <strong>{plan.name}</strong>
        <span class="quiet">{describeContents(plan)}</span>
      </p>
      <div class="review-choices">
        {plan.choices.length > 1 && (
          <label class="field">
            <span>Instruments</span>
            <select
              data-test="grouping"
              value={plan.grouping ?? ""}
              onChange={(event) => {
                grouping.value = event.currentTarget.value as Grouping;
              }}
            >
              {plan.choices.map((choice) => (
                <option key={choice.grouping} value={choice.grouping}>
                  {choiceWords(choice)}
                </option>
              ))}
            </select>
          </label>
        )}
        <label class="field">
          <span>Add to</span>
          <select
            data-test="target"
            value={target.value}
            onChange={(event) => {
              target.value = event.currentTarget.value;
            }}
          >
            {libraries.value
              .filter(({ writable }) => writable)
              .map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            <option value={NEW}>New library “{newName}”</option>
          </select>
        </label>
      </div>
      <SkippedFiles sentences={plan.skipped} />
      <div class="review-actions">
        <Button kind="quiet" onClick={onCancel}>
          Cancel
        </Button>
        <Button kind="primary" data-test="add" disabled={busy.value} onClick={() => void add()}>
          {plan.instruments === null ? "Add" : `Add ${formatCount(plan.instruments, "instrument")}`}
        </Button>
      </div>
    </section>
  );
}

function NothingToAdd({ plan, onClose }: { plan: UploadPlan; onClose: () => void }) {
  const [first, ...more] = plan.skipped;
  return (
    <section class="problem" role="alert" data-test="problem">
      <div>
        <strong>{first ?? "It contains no files."}</strong> {more.slice(0, 2).join(" ")} Drop a folder of
        samples, a zip, a SoundFont or an SFZ.
      </div>
      <div class="problem-actions">
        <Button kind="quiet" icon="close" label="Dismiss" onClick={onClose} />
      </div>
    </section>
  );
}

function SkippedFiles({ sentences }: { sentences: readonly string[] }) {
  if (!sentences.length) return null;
  const [first, ...more] = sentences;
  if (!more.length) return <p class="left-out">{first}</p>;
  return (
    <details class="left-out">
      <summary>
        {first} (and {more.length} more)
      </summary>
      <ul>
        {more.slice(0, 50).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </details>
  );
}

function describeContents({ files, bytes, parts, instruments }: UploadPlan): string {
  const split = parts.length > 1 && files > parts.length ? `, uploaded in ${parts.length} parts` : "";
  const what = files === 1 && instruments === null ? "" : `${formatCount(files, "file")}, `;
  return `${what}${formatBytes(bytes)}${split}`;
}

function choiceWords({ grouping, instruments }: Choice): string {
  return `${GROUPING_WORDS[grouping]} (${instruments})`;
}

/** `name`, with a number added if a library already has that name. */
export function freeName(name: string, taken: readonly { name: string }[]): string {
  const safe =
    name
      .replace(/[\\/\p{Cc}]+/gu, " ")
      .trim()
      .slice(0, 100) || "My library";
  const names = new Set(taken.map((library) => library.name));
  for (let number = 2, candidate = safe; ; candidate = `${safe} (${number++})`)
    if (!names.has(candidate)) return candidate;
}
