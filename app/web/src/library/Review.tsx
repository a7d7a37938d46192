/** What was found in a drop, before anything is sent: how many instruments, what stays out, and into which library. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Library } from "../api/types";
import { libraries } from "../state/libraries";
import { limits } from "../state/server";
import { sayProblem } from "../state/toasts";
import { Button } from "../ui/Button";
import type { Dropped } from "./folder";
import type { Choice, Grouping } from "./grouping";
import { type Plan, planOf } from "./plan";
import { counted, megabytes } from "./words";

const NEW = "new"; // the select's value for a library that does not exist yet
const GROUPING_WORDS: Record<Grouping, string> = {
  folders: "Each folder is an instrument",
  innermost: "Each innermost folder is an instrument",
  files: "Each file is an instrument",
  one: "All files are one instrument",
};

interface ReviewProps {
  dropped: Dropped;
  library: Library | null;
  onCancel: () => void;
  onAdd: (target: Library | string, plan: Plan) => Promise<void>; // a library, or the name of a new one
}

export function Review({ dropped, library, onCancel, onAdd }: ReviewProps) {
  const grouping = useSignal<Grouping | null>(null);
  const plan = planOf(dropped, limits.value, grouping.value);
  const newName = freeName(plan.library, libraries.value);
  const target = useSignal(library && !library.default ? library.id : NEW);
  const busy = useSignal(false);
  const first = useRef<HTMLElement>(null);
  useEffect(() => first.current?.querySelector<HTMLElement>("[data-test=add]")?.focus(), []);
  if (!plan.parcels.length) return <NothingToAdd plan={plan} onClose={onCancel} />;
  const add = async () => {
    busy.value = true;
    try {
      await onAdd(libraries.value.find(({ id }) => id === target.value) ?? newName, plan);
    } catch (error) {
      sayProblem(error);
    }
    busy.value = false;
  };
  return (
    <section ref={first} class="review" data-test="review" aria-label="What will be added">
      <p class="review-what">
        <strong>{plan.name}</strong>
        <span class="quiet">{contents(plan)}</span>
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
            {libraries.value.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
            <option value={NEW}>A new library, “{newName}”</option>
          </select>
        </label>
      </div>
      <LeftOut sentences={plan.leftOut} />
      <div class="review-actions">
        <Button kind="quiet" onClick={onCancel}>
          Cancel
        </Button>
        <Button kind="primary" data-test="add" disabled={busy.value} onClick={() => void add()}>
          {plan.instruments === null ? "Add" : `Add ${counted(plan.instruments, "instrument")}`}
        </Button>
      </div>
    </section>
  );
}

function NothingToAdd({ plan, onClose }: { plan: Plan; onClose: () => void }) {
  const [first, ...more] = plan.leftOut;
  return (
    <section class="problem" role="alert" data-test="problem">
      <div>
        <strong>{first ?? "There are no files in it."}</strong> {more.slice(0, 2).join(" ")} Drop a folder of
        samples, a zip, a SoundFont or an SFZ.
      </div>
      <div class="problem-actions">
        <Button kind="quiet" icon="close" label="Dismiss" onClick={onClose} />
      </div>
    </section>
  );
}

function LeftOut({ sentences }: { sentences: readonly string[] }) {
  if (!sentences.length) return null;
  const [first, ...more] = sentences;
  if (!more.length) return <p class="left-out">{first}</p>;
  return (
    <details class="left-out">
      <summary>
        {first} And {counted(more.length, "more note")}
      </summary>
      <ul>
        {more.slice(0, 50).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </details>
  );
}

function contents({ files, bytes, parcels, instruments }: Plan): string {
  const parts = parcels.length > 1 && files > parcels.length ? `, sent in ${parcels.length} parts` : "";
  const what = files === 1 && instruments === null ? "" : `${counted(files, "file")}, `;
  return `${what}${megabytes(bytes)}${parts}`;
}

function choiceWords({ grouping, instruments }: Choice): string {
  return `${GROUPING_WORDS[grouping]} (${instruments})`;
}

/** `name`, or `name (2)` and so on when a library is called that already. */
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
