/** A library's instruments in a virtual list: search, filter, order, play, and where the caller may change it, select, rename,
 * correct, mark, delete. Keys: arrows move, with Shift they select, Space plays, F2 renames, Delete deletes. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { listInstruments } from "../api/client";
import type { Instrument, Library } from "../api/types";
import { Button } from "../ui/Button";
import { formatCount } from "../ui/format";
import { narrow } from "../ui/narrow";
import { Problem } from "../ui/Problem";
import { type Shortcut, useShortcuts } from "../ui/shortcuts";
import { VirtualList } from "../ui/VirtualList";
import { BrowserBar, useListing } from "./BrowserBar";
import { BulkBar } from "./BulkBar";
import { enrollments, enrollmentsEnded, isOver } from "./enrollments";
import { InstrumentRow, PendingRow } from "./InstrumentRow";
import { removeInstruments } from "./instrumentActions";
import { sharedPrefix } from "./names";
import { PagedList, type Row, rowsOf } from "./pagedList";
import { revealTarget } from "./reveal";
import { Selection } from "./selection";

const ROW_PIXELS = 46;
const NARROW_ROW_PIXELS = 60;

export function Browser({ library }: { library: Library }) {
  const found = revealTarget.value?.library === library.id ? revealTarget.value : null;
  const listing = useListing(found?.name ?? "");
  const { filter, filtered } = listing;
  const current = useSignal(0);
  const editing = useSignal<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const searchField = useRef<HTMLInputElement>(null);
  const list = useMemo(
    () =>
      new PagedList<Instrument>((next, signal) =>
        listInstruments(library.id, filter.value, next, { signal }),
      ),
    [library.id, filter.value, enrollmentsEnded.value],
  );
  const selection = useMemo(() => new Selection(list.items), [list]);
  const chosen = selection.items.value;
  useEffect(() => {
    list.ensure(0);
    return () => list.stop();
  }, [list]);
  useEffect(() => {
    current.value = 0;
  }, [filter.value]);
  useEffect(() => {
    if (selection.wantsAll.value && list.complete.value) selection.all();
  }, [selection, selection.wantsAll.value, list.complete.value]);
  useEffect(() => {
    if (!found) return;
    const index = list.items.value.findIndex(({ id }) => id === found.id);
    if (index < 0) return;
    current.value = index;
    revealTarget.value = null;
  }, [list.items.value, found]);

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
  const go = (to: number, event: KeyboardEvent) => {
    move(to);
    if (event.shiftKey && library.writable) selection.extend(current.value);
    else selection.begin(current.value);
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
        void removeInstruments(list, selection.items.value.length ? selection.items.value : [item]);
        move(current.value);
      },
    },
    { keys: ["x"], shown: "X", does: "select or not", run: () => selection.toggle(current.value) },
    {
      keys: [], // the arrow keys above
      shown: "Shift ↑ ↓",
      does: "select from here on",
      run: () => undefined,
    },
    {
      keys: ["Ctrl+a"],
      shown: "Ctrl A",
      does: "select all that are listed",
      run: () => {
        selection.wantsAll.value = true;
        list.ensure(library.num_instruments);
      },
    },
    { keys: ["Escape"], shown: "Esc", does: "select nothing", run: () => selection.clear() },
  ];
  const keys = useMemo<Shortcut[]>(
    () => [
      {
        keys: ["ArrowDown"],
        shown: "↓",
        does: "next instrument",
        run: (event) => go(current.value + 1, event),
      },
      {
        keys: ["ArrowUp"],
        shown: "↑",
        does: "previous instrument",
        run: (event) => go(current.value - 1, event),
      },
      { keys: ["PageDown"], shown: "PgDn", does: "ten down", run: (event) => go(current.value + 10, event) },
      { keys: ["PageUp"], shown: "PgUp", does: "ten up", run: (event) => go(current.value - 10, event) },
      { keys: ["Home"], shown: "Home", does: "first instrument", run: (event) => go(0, event) },
      { keys: ["End"], shown: "End", does: "last instrument", run: (event) => go(rows.length - 1, event) },
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
    const [above, below] = [list.items.value[index - 1], list.items.value[index + 1]];
    return (
      <InstrumentRow
        item={item}
        prefix={sharedPrefix(item.name, above?.name, below?.name)}
        selected={selection.ids.value.has(item.id)}
        selection={selection}
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
      <BrowserBar listing={listing} field={searchField} count={countWords(list, filtered, library)} />
      {library.writable && chosen.length > 0 && (
        <BulkBar items={chosen} list={list} onClear={() => selection.clear()} />
      )}
      {list.problem.value !== null && (
        <Problem error={list.problem.value}>
          <Button onClick={() => list.retry()}>Try again</Button>
        </Problem>
      )}
      {empty ? (
        <Nothing
          filtered={filtered}
          adding={enrollments.value.some((one) => one.library.id === library.id && !isOver(one))}
          onClear={listing.clear}
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
