/** What can be done to an instrument, each with its undo: rename, correct the family, delete.
 * The list shows the change at once and takes it back when the service refuses. */
import { changeInstrument, deleteInstrument, restoreInstrument } from "../api/client";
import type { Instrument } from "../api/types";
import { refreshLibraries } from "../state/libraries";
import { sayProblem, undoable } from "../state/toasts";
import { familyWords } from "../ui/Family";

/** Where the instrument is shown. */
export interface Shelf {
  replace: (item: Instrument) => void;
  remove: (id: string) => number;
  insert: (item: Instrument, index: number) => void;
}

/** Rejects when the service refuses, so that the editor can stay open. */
export async function rename(shelf: Shelf, item: Instrument, name: string): Promise<void> {
  shelf.replace(await changeInstrument(item.id, { name }));
  undoable(`“${item.name}” is now “${name}”`, async () => {
    shelf.replace(await changeInstrument(item.id, { name: item.name }));
  });
}

export async function correctFamily(shelf: Shelf, item: Instrument, family: string | null): Promise<void> {
  shelf.replace({ ...item, family });
  try {
    shelf.replace(await changeInstrument(item.id, { family }));
  } catch (error) {
    shelf.replace(item);
    return sayProblem(error);
  }
  undoable(`“${item.name}” is now ${familyWords(family)}`, async () => {
    shelf.replace(await changeInstrument(item.id, { family: item.family }));
  });
}

export async function remove(shelf: Shelf, item: Instrument): Promise<void> {
  const index = shelf.remove(item.id);
  try {
    await deleteInstrument(item.id);
  } catch (error) {
    if (index >= 0) shelf.insert(item, index);
    return sayProblem(error);
  }
  void refreshLibraries();
  undoable(`“${item.name}” deleted`, async () => {
    shelf.insert(await restoreInstrument(item.id), Math.max(0, index));
    void refreshLibraries();
  });
}
