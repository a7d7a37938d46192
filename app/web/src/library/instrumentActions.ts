/** Actions on an instrument, each with undo: rename, correct the family, delete.
 * The list changes at once and is restored if the service refuses. */
import { changeInstrument, deleteInstrument, restoreInstrument } from "../api/client";
import type { Instrument } from "../api/types";
import { refreshLibraries } from "../state/libraries";
import { offerUndo, showProblem } from "../state/toasts";
import { familyName } from "../ui/Family";

/** The list that shows the instrument. */
export interface EditableList {
  replace: (item: Instrument) => void;
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

export async function correctFamily(
  list: EditableList,
  item: Instrument,
  family: string | null,
): Promise<void> {
  list.replace({ ...item, family });
  try {
    list.replace(await changeInstrument(item.id, { family }));
  } catch (error) {
    list.replace(item);
    return showProblem(error);
  }
  offerUndo(`“${item.name}” is now ${familyName(family)}`, async () => {
    list.replace(await changeInstrument(item.id, { family: item.family }));
  });
}

export async function removeInstrument(list: EditableList, item: Instrument): Promise<void> {
  const index = list.remove(item.id);
  try {
    await deleteInstrument(item.id);
  } catch (error) {
    if (index >= 0) list.insert(item, index);
    return showProblem(error);
  }
  void refreshLibraries();
  offerUndo(`“${item.name}” was deleted`, async () => {
    list.insert(await restoreInstrument(item.id), Math.max(0, index));
    void refreshLibraries();
  });
}
