/** Actions on one instrument or several, each with one undo: rename, correct, mark, delete.
 * The list changes at once and is restored if the service refuses. */
import { changeInstrument, deleteInstrument, restoreInstrument } from "../api/client";
import type { Instrument, InstrumentChange } from "../api/types";
import { refreshLibraries } from "../state/libraries";
import { beforeUndo, offerUndo, showProblem } from "../state/toasts";
import { formatCount } from "../ui/format";

/** The list that shows the instrument. */
export interface EditableList {
  replace: (...items: Instrument[]) => void;
  remove: (id: string) => number;
  insert: (item: Instrument, index: number) => void;
}

/** Rejects if the service refuses, so that the editor can stay open. */
export async function renameInstrument(list: EditableList, item: Instrument, name: string): Promise<void> {
  list.replace(await changeInstrument(item.id, { name }));
  offerUndo(`“${item.name}” is now “${name}”`, async () => {
    list.replace(await changeInstrument(item.id, { name: item.name }));
  });
}

const MOST_REQUESTS = 6; // at a time

/** Change each instrument by `changeOf`; `words` tell what has happened, after `“Piano” is` or `3 instruments are`. */
export const changeInstruments: typeof change = (...wanted) => beforeUndo(change(...wanted));

/** Delete the instruments. */
export const removeInstruments: typeof remove = (...wanted) => beforeUndo(remove(...wanted));

async function change(
  list: EditableList,
  items: readonly Instrument[],
  changeOf: (item: Instrument) => InstrumentChange,
  words: string,
): Promise<void> {
  const changes = items.map((item) => ({ item, change: changeOf(item) }));
  list.replace(...changes.map(({ item, change }) => ({ ...item, ...change }) as Instrument));
  const done = await eachOf(changes, async ({ item, change }) => {
    const changed = await changeInstrument(item.id, change);
    return { item, change, changed };
  });
  const reached = new Set(done.map(({ item }) => item));
  list.replace(...items.filter((item) => !reached.has(item)), ...done.map(({ changed }) => changed));
  if (!done.length) return;
  const whom = whomOf(done.map(({ item }) => item));
  offerUndo(`${whom} ${done.length === 1 ? "is" : "are"} ${words}`, async () => {
    const back = await eachOf(done, ({ item, change }) => changeInstrument(item.id, valuesOf(item, change)));
    list.replace(...back);
  });
}

async function remove(list: EditableList, items: readonly Instrument[]): Promise<void> {
  const removed = items.map((item) => ({ item, index: list.remove(item.id) }));
  const done = await eachOf(removed, async (one) => {
    await deleteInstrument(one.item.id);
    return one;
  });
  const putBack = (one: { index: number }, item: Instrument) => list.insert(item, Math.max(0, one.index));
  for (const one of removed.filter((each) => !done.includes(each)).reverse()) putBack(one, one.item);
  void refreshLibraries();
  if (!done.length) return;
  const whom = whomOf(done.map(({ item }) => item));
  offerUndo(`${whom} ${done.length === 1 ? "was" : "were"} deleted`, async () => {
    for (const one of done.toReversed()) putBack(one, await restoreInstrument(one.item.id));
    void refreshLibraries();
  });
}

/** `“Piano”`, `3 instruments`. */
function whomOf(items: readonly Instrument[]): string {
  const [first] = items;
  return first && items.length === 1 ? `“${first.name}”` : formatCount(items.length, "instrument");
}

/** The values that `item` has of the fields of a change. */
function valuesOf(item: Instrument, change: InstrumentChange): InstrumentChange {
  const fields = Object.keys(change) as (keyof InstrumentChange)[];
  return Object.fromEntries(fields.map((field) => [field, item[field]]));
}

/** Run `work` for each item, a few at a time, and return the results in the order of the items, without those that failed.
 * The first failure is shown, and begins no further work. */
async function eachOf<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Map<number, Result>();
  let next = 0;
  let failed = false;
  const run = async () => {
    for (let index = next++; index < items.length && !failed; index = next++) {
      try {
        results.set(index, await work(items[index] as Item));
      } catch (error) {
        if (!failed) showProblem(error);
        failed = true;
      }
    }
  };
  await Promise.all(Array.from({ length: MOST_REQUESTS }, run));
  return [...results].sort(([one], [other]) => one - other).map(([, result]) => result);
}
