/** Groups of instruments that sound the same, to compare by ear and to delete. */
import { type signal, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { getDuplicates } from "../api/client";
import { isAbort } from "../api/problem";
import type { DuplicateGroup, Instrument, Library } from "../api/types";
import { Button } from "../ui/Button";
import { FamilyChip } from "../ui/Family";
import { formatCount } from "../ui/format";
import { PlayButton } from "../ui/PlayButton";
import { Problem } from "../ui/Problem";
import { enrollmentsEnded } from "./enrollments";
import { sourceWords } from "./InstrumentRow";
import { type EditableList, removeInstruments } from "./instrumentActions";

const STRICTNESS: [value: number, words: string][] = [
  [0.995, "Same sound"],
  [0.98, "Almost the same"],
  [0.95, "Very similar"],
];
const MOST_GROUPS = 100;

export function Duplicates({ library, onClose }: { library: Library; onClose: () => void }) {
  const strictness = useSignal(0.98);
  const groups = useSignal<DuplicateGroup[] | null>(null);
  const problem = useSignal<unknown>(null);
  const tries = useSignal(0);
  useEffect(() => {
    const control = new AbortController();
    groups.value = null;
    problem.value = null;
    getDuplicates(library.id, strictness.value, MOST_GROUPS, { signal: control.signal }).then(
      (answer) => {
        groups.value = answer.groups;
      },
      (error: unknown) => {
        if (!isAbort(error)) problem.value = error;
      },
    );
    return () => control.abort();
  }, [library.id, strictness.value, tries.value, enrollmentsEnded.value]);
  const list = useMemo(() => editableGroups(groups), [groups]);
  return (
    <section class="duplicates" data-test="duplicates" aria-label="Duplicates">
      <div class="browser-bar">
        <label class="field">
          <span>Similarity</span>
          <select
            data-test="strictness"
            value={String(strictness.value)}
            onChange={(event) => {
              strictness.value = Number(event.currentTarget.value);
            }}
          >
            {STRICTNESS.map(([value, words]) => (
              <option key={value} value={String(value)}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <span class="quiet browser-count" role="status">
          {groups.value ? groupWords(groups.value) : "Comparing…"}
        </span>
        <Button icon="back" onClick={onClose}>
          All instruments
        </Button>
      </div>
      {problem.value !== null && (
        <Problem error={problem.value}>
          <Button
            onClick={() => {
              tries.value += 1;
            }}
          >
            Try again
          </Button>
        </Problem>
      )}
      {groups.value?.length === 0 && (
        <div class="nothing" data-test="empty">
          <p>No two instruments in this library sound that similar.</p>
        </div>
      )}
      <ul class="groups">
        {groups.value?.map((group) => (
          <li key={group.instruments[0]?.id} class="group" data-test="duplicate-group">
            <p class="group-head">{(100 * group.similarity).toFixed(1)}% similar</p>
            <ul>
              {group.instruments.map((item) => (
                <Twin
                  key={item.id}
                  item={item}
                  others={group.instruments.filter((other) => other !== item)}
                  list={library.writable ? list : null}
                />
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface TwinProps {
  item: Instrument;
  others: readonly Instrument[]; // of its group
  list: EditableList | null; // null where the caller may only read
}

function Twin({ item, others, list }: TwinProps) {
  return (
    <li class="twin" data-test="duplicate">
      <PlayButton url={item.preview_url} label={item.name} />
      <span class="twin-what">
        <span class="instrument-name">{item.name}</span>
        <span class="instrument-source">{sourceWords(item)}</span>
      </span>
      <FamilyChip family={item.family} recognised={item.recognised_family} />
      {list && others.length > 0 && (
        <Button
          kind="quiet"
          icon="check"
          label={`Keep ${item.name}, and delete the others of this group`}
          data-test="keep-one"
          onClick={() => void removeInstruments(list, others)}
        />
      )}
      {list && (
        <Button
          kind="quiet"
          icon="trash"
          label={`Delete ${item.name}`}
          data-test="delete"
          onClick={() => void removeInstruments(list, [item])}
        />
      )}
    </li>
  );
}

/** Adapt the groups to an editable list: a restored instrument returns to its group. */
function editableGroups(groups: ReturnType<typeof signal<DuplicateGroup[] | null>>): EditableList {
  const places = new Map<string, DuplicateGroup>(); // group of each removed instrument
  const change = (within: (group: DuplicateGroup) => Instrument[]) => {
    groups.value =
      groups.value?.map((group) => {
        const instruments = within(group);
        const changed = { ...group, instruments };
        for (const [id, place] of places) if (place === group) places.set(id, changed);
        return changed;
      }) ?? null;
  };
  return {
    replace: (...items) =>
      change(({ instruments }) => instruments.map((old) => items.find(({ id }) => id === old.id) ?? old)),
    remove: (id) => {
      const place = groups.value?.find(({ instruments }) => instruments.some((other) => other.id === id));
      const index = place?.instruments.findIndex((other) => other.id === id) ?? -1;
      if (place) places.set(id, place);
      change(({ instruments }) => instruments.filter((other) => other.id !== id));
      return index;
    },
    insert: (item, index) => {
      const place = places.get(item.id);
      places.delete(item.id);
      change((group) => (group === place ? group.instruments.toSpliced(index, 0, item) : group.instruments));
    },
  };
}

function groupWords(groups: readonly DuplicateGroup[]): string {
  const instruments = groups.reduce((sum, group) => sum + group.instruments.length, 0);
  return groups.length
    ? `${formatCount(groups.length, "group")}, ${formatCount(instruments, "instrument")}`
    : "";
}
