/** A library's instruments in a virtual list: search, filter by family, play, and where the caller may change it, rename,
 * correct, delete. Keys: arrows move, Space plays, F2 renames, Delete deletes. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { listInstruments } from "../api/client";
import type { Instrument, Library } from "../api/types";
import { limits } from "../state/server";
import { Button } from "../ui/Button";
import { familyName } from "../ui/Family";
import { formatCount } from "../ui/format";
import { Icon } from "../ui/icons";
import { narrow } from "../ui/narrow";
import { Problem } from "../ui/Problem";
import { type Shortcut, useShortcuts } from "../ui/shortcuts";
import { VirtualList } from "../ui/VirtualList";
import { enrollments, enrollmentsEnded, isOver } from "./enrollments";
import { InstrumentRow, PendingRow } from "./InstrumentRow";
import { removeInstrument } from "./instrumentActions";
import { PagedList, type Row, rowsOf } from "./pagedList";
import { revealTarget } from "./reveal";

const SEARCH_PAUSE_MS = 150;
const ROW_PIXELS = 46;
const NARROW_ROW_PIXELS = 60;

export function Browser({ library }: { library: Library }) {
  const found = revealTarget.value?.library === library.id ? revealTarget.value : null;
  const typed = useSignal(found?.name ?? "");
  const search = useSignal(typed.value);
  const family = useSignal<string | null>(null);
  const current = useSignal(0);
  const editing = useSignal<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const searchField = useRef<HTMLInputElement>(null);
  const list = useMemo(
    () =>
      new PagedList<Instrument>((next, signal) =>
        listInstruments(library.id, { search: search.value, family: family.value }, next, { signal }),
      ),
    [library.id, search.value, family.value, enrollmentsEnded.value],
  );
  useEffect(() => {
    list.ensure(0);
    return () => list.stop();
  }, [list]);
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
    const index = list.items.value.findIndex(({ id }) => id === found.id);
    if (index < 0) return;
    current.value = index;
    revealTarget.value = null;
  }, [list.items.value, found]);

  const filtered = search.value !== "" || family.value !== null;
  const rows = rowsOf(list.items.value, list.complete.value, filtered ? null : library.num_instruments);
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
  const at = () => list.items.value[current.value];
  const changes: Shortcut[] = [
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
        void removeInstrument(list, item);
        move(current.value);
      },
    },
  ];
  const keys = useMemo(
    () => [
      { keys: ["ArrowDown"], shown: "↓", does: "next instrument", run: () => move(current.value + 1) },
      { keys: ["ArrowUp"], shown: "↑", does: "previous instrument", run: () => move(current.value - 1) },
      { keys: ["PageDown"], shown: "PgDn", does: "ten down", run: () => move(current.value + 10) },
      { keys: ["PageUp"], shown: "PgUp", does: "ten up", run: () => move(current.value - 10) },
      { keys: ["Home"], shown: "Home", does: "first instrument", run: () => move(0) },
      { keys: ["End"], shown: "End", does: "last instrument", run: () => move(rows.length - 1) },
      {
        keys: [" "],
        shown: "Space",
        does: "play or stop",
        run: () => box.current?.querySelector<HTMLElement>("[data-current] .play")?.click(),
      },
      { keys: ["/"], shown: "/", does: "search", run: () => searchField.current?.focus() },
      ...(library.writable ? changes : []),
    ],
    [list, rows.length, library.writable],
  );
  useShortcuts(keys);

  const row = (item: Row<Instrument>, index: number) => {
    if ("pending" in item) return <Wanted list={list} index={index} />;
    return (
      <InstrumentRow
        item={item}
        index={index}
        current={index === current.value}
        editing={item.id === editing.value}
        list={library.writable ? list : null}
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
  const rowPixels = narrow.value ? NARROW_ROW_PIXELS : ROW_PIXELS;
  const empty = list.complete.value && !rows.length;
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
          aria-label="Filter by family"
          value={family.value ?? ""}
          onChange={(event) => {
            family.value = event.currentTarget.value || null;
          }}
        >
          <option value="">All families</option>
          {limits.value.families.map((name) => (
            <option key={name} value={name}>
              {familyName(name)}
            </option>
          ))}
        </select>
        <span class="quiet browser-count" role="status" data-test="count">
          {countWords(list, filtered, library)}
        </span>
      </div>
      {list.problem.value !== null && (
        <Problem error={list.problem.value}>
          <Button onClick={() => list.retry()}>Try again</Button>
        </Problem>
      )}
      {empty ? (
        <Nothing
          filtered={filtered}
          adding={enrollments.value.some((one) => one.library.id === library.id && !isOver(one))}
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
          label={`Instruments in ${library.name}. Use the arrow keys to move between them.`}
          keyOf={(item) => ("pending" in item ? `pending-${item.pending}` : item.id)}
          row={row}
          test="instruments"
          current={current.value}
        />
      )}
    </div>
  );
}

/** A visible row that is not loaded yet; it requests its own data. */
function Wanted({ list, index }: { list: PagedList<Instrument>; index: number }) {
  useEffect(() => list.ensure(index), [list, index]);
  return <PendingRow />;
}

function countWords(list: PagedList<Instrument>, filtered: boolean, library: Library): string {
  if (!filtered) return formatCount(library.num_instruments, "instrument");
  const { length } = list.items.value;
  return list.complete.value ? `${formatCount(length, "instrument")} found` : `${length}+ found`;
}

interface NothingProps {
  filtered: boolean;
  adding: boolean; // instruments, at the moment
  onClear: () => void;
}

function Nothing({ filtered, adding, onClear }: NothingProps) {
  const empty = adding
    ? "Instruments are being added. They are listed here when all of them are there."
    : "This library is empty.";
  return (
    <div class="nothing" data-test="empty">
      <p>{filtered ? "No instruments in this library match." : empty}</p>
      {filtered && <Button onClick={onClear}>Show all</Button>}
      {!filtered && !adding && (
        <p class="quiet">To add instruments, drop a folder of samples, a zip, a SoundFont or an SFZ above.</p>
      )}
    </div>
  );
}
