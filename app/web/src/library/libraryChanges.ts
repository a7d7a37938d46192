/** What can be done to a library, with its undo: create, rename, delete. */
import { createLibrary, deleteLibrary, renameLibrary, restoreLibrary } from "../api/client";
import type { Library } from "../api/types";
import { chooseLibrary, libraries, refreshLibraries } from "../state/libraries";
import { navigate } from "../state/route";
import { sayProblem, undoable } from "../state/toasts";

/** Make a library and let every list know. Rejects when the service refuses. */
export async function createNamed(name: string): Promise<Library> {
  const library = await createLibrary(name);
  libraries.value = [...libraries.value, library].sort((one, other) => (one.name < other.name ? -1 : 1));
  return library;
}

export function openLibrary({ id }: Pick<Library, "id">): void {
  chooseLibrary(id);
  navigate("library", id);
}

/** Rejects when the service refuses, so that the editor can stay open. */
export async function renameTo(library: Library, name: string): Promise<void> {
  await renameLibrary(library.id, name);
  await refreshLibraries();
  undoable(`“${library.name}” is now “${name}”`, async () => {
    await renameLibrary(library.id, library.name);
    await refreshLibraries();
  });
}

export async function deleteWhole(library: Library): Promise<void> {
  try {
    await deleteLibrary(library.id);
  } catch (error) {
    return sayProblem(error);
  }
  libraries.value = libraries.value.filter(({ id }) => id !== library.id);
  navigate("library");
  undoable(`The library “${library.name}” was deleted`, async () => {
    await restoreLibrary(library.id);
    await refreshLibraries();
    openLibrary(library);
  });
}
