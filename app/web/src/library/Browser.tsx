/** The instruments of a library in a list of any length: search, filter by family, hear, rename, correct, delete.
 * Arrow keys walk through the rows, space plays, F2 renames, Delete deletes. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { listInstruments } from "../api/client";
import type { Instrument, Library } from "../api/types";
import { limits } from "../state/server";
import { Button } from "../ui/Button";
import { familyWords } from "../ui/Family";
import { Icon } from "../ui/icons";
import { useShortcuts } from "../ui/keys";
import { Problem } from "../ui/Problem";
import { VirtualList } from "../ui/VirtualList";
import { remove } from "./changes";
import { added } from "./enrolments";
import { InstrumentRow, PendingRow } from "./InstrumentRow";
import { Paging, type Row, rowsOf } from "./paging";
import { sought } from "./sought";
import { counted } from "./words";

const SEARCH_PAUSE_MS = 150;
const ROW_PIXELS = 46;
const NARROW_ROW_PIXELS = 60;
const NARROW = matchMedia("(max-width: 620px)");

export function Browser({ library }: { library: Library }) {
  const found = sought.value?.library === library.id ? sought.value : null;
  const typed = useSignal(found?.name ?? "");
  const search = useSignal(typed.value);
  const family = useSignal<string | null>(null);
  const current = useSignal(0);
  const editing = useSignal<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const searchField = useRef<HTMLInputElement>(null);
  const paging = useMemo(
    () =>
      new Paging<Instrument>((next, signal) =>
        listInstruments(library.id, { search: search.value, family: family.value }, next, { signal }),
      ),
    [library.id, search.value, family.value, added.value],
  );
  useEffect(() => {
    paging.need(0);
    return () => paging.stop();
  }, [paging]);
  useEffect(() => {
    current.value = 0;
  }, [search.value, family.value]);
  useEffect(() => {
    const timer = setTimeout(() => {
      search.value = typed.value.trim();
    }, SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed.value]);
  useEffect(() => {
    if (!found) return;
    const index = paging.items.value.findIndex(({ id }) => id === found.id);
    if (index < 0) return;
    current.value = index;
    sought.value = null;
  }, [paging.items.value, found]);

  const filtered = search.value !== "" || family.value !== null;
  const rows = rowsOf(paging.items.value, paging.complete.value, filtered ? null : library.num_instruments);
  const move = (to: number) => {
    current.value = Math.max(0, Math.min(rows.length - 1, to));
    requestAnimationFrame(() =>
      requestAnimationFrame(() =>
        box.current
          ?.querySelector<HTMLElement>(`[data-index="${current.value}"] .play`)
          ?.focus({ preventScroll: true }),
      ),
    );
  };
  const at = () => paging.items.value[current.value];
  const keys = useMemo(
    () => [
      { keys: ["ArrowDown"], shown: "↓", does: "next instrument", run: () => move(current.value + 1) },
      { keys: ["ArrowUp"], shown: "↑", does: "the one before", run: () => move(current.value - 1) },
      { keys: ["PageDown"], shown: "PgDn", does: "ten further", run: () => move(current.value + 10) },
      { keys: ["PageUp"], shown: "PgUp", does: "ten back", run: () => move(current.value - 10) },
      { keys: ["Home"], shown: "Home", does: "first instrument", run: () => move(0) },
      { keys: ["End"], shown: "End", does: "last instrument", run: () => move(rows.length - 1) },
      {
        keys: [" "],
        shown: "Space",
        does: "play or stop",
        run: () => box.current?.querySelector<HTMLElement>("[data-current] .play")?.click(),
      },
      {
        keys: ["F2"],
        shown: "F2",
        does: "rename",
        run: () => {
          editing.value = at()?.id ?? null;
        },
      },
      {
        keys: ["Delete"],
        shown: "Del",
        does: "delete",
        run: () => {
          const item = at();
          if (!item) return;
          void remove(paging, item);
          move(current.value);
        },
      },
      { keys: ["/"], shown: "/", does: "search", run: () => searchField.current?.focus() },
    ],
    [paging, rows.length],
  );
  useShortcuts(keys);

  const row = (item: Row<Instrument>, index: number) => {
    if ("pending" in item) return <Wanted paging={paging} index={index} />;
    return (
      <InstrumentRow
        item={item}
        index={index}
        current={index === current.value}
        editing={item.id === editing.value}
        shelf={paging}
        onCurrent={(to) => {
          current.value = to;
        }}
        onEdit={(id) => {
          editing.value = id;
          if (!id) move(current.value);
        }}
      />
    );
  };
  const rowPixels = NARROW.matches ? NARROW_ROW_PIXELS : ROW_PIXELS;
  const empty = paging.complete.value && !rows.length;
  return (
    <div class="browser" ref={box} style={{ "--rows": `${rows.length * rowPixels}px` }}>
      <div class="browser-bar">
        <label class="search">
          <Icon name="search" />
          <input
            ref={searchField}
            type="search"
            class="input"
            data-test="search"
            aria-label="Search instruments by name"
            placeholder="Search by name"
            value={typed.value}
            onInput={(event) => {
              typed.value = event.currentTarget.value;
            }}
          />
        </label>
        <select
          class="input"
          data-test="family-select"
          aria-label="Show only this family"
          value={family.value ?? ""}
          onChange={(event) => {
            family.value = event.currentTarget.value || null;
          }}
        >
          <option value="">All families</option>
          {limits.value.families.map((name) => (
            <option key={name} value={name}>
              {familyWords(name)}
            </option>
          ))}
        </select>
        <span class="quiet browser-count" role="status" data-test="count">
          {countWords(paging, filtered, library)}
        </span>
      </div>
      {paging.problem.value !== null && (
        <Problem error={paging.problem.value}>
          <Button onClick={() => paging.retry()}>Try again</Button>
        </Problem>
      )}
      {empty ? (
        <Nothing
          filtered={filtered}
          onClear={() => {
            typed.value = "";
            search.value = "";
            family.value = null;
          }}
        />
      ) : (
        <VirtualList
          items={rows}
          rowHeight={rowPixels}
          label={`Instruments of ${library.name}; arrow keys walk through them`}
          keyOf={(item) => ("pending" in item ? `pending-${item.pending}` : item.id)}
          row={row}
          test="instruments"
          current={current.value}
        />
      )}
    </div>
  );
}

/** A row in sight that is not there yet: it asks for itself. */
function Wanted({ paging, index }: { paging: Paging<Instrument>; index: number }) {
  useEffect(() => paging.need(index), [paging, index]);
  return <PendingRow />;
}

function countWords(paging: Paging<Instrument>, filtered: boolean, library: Library): string {
  if (!filtered) return counted(library.num_instruments, "instrument");
  const { length } = paging.items.value;
  return paging.complete.value ? `${counted(length, "instrument")} found` : `${length}+ found`;
}

function Nothing({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  return (
    <div class="nothing" data-test="empty">
      <p>{filtered ? "No instrument of this library is called that." : "Nothing is in this library yet."}</p>
      {filtered ? (
        <Button onClick={onClear}>Show all</Button>
      ) : (
        <p class="quiet">Drop a folder of samples, a zip, a SoundFont or an SFZ above.</p>
      )}
    </div>
  );
}
