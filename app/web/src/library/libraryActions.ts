/** Actions on a library, with undo: create, rename, delete. */
import { createLibrary, deleteLibrary, renameLibrary, restoreLibrary, shareLibrary } from "../api/client";
import type { Library } from "../api/types";
import { chooseLibrary, libraries, refreshLibraries } from "../state/libraries";
import { navigate } from "../state/route";
import { offerUndo, showProblem } from "../state/toasts";

/** Create a library and add it to every list. Rejects if the service refuses. */
export async function addLibrary(name: string): Promise<Library> {
  const library = await createLibrary(name);
  libraries.value = [...libraries.value, library].sort((one, other) => (one.name < other.name ? -1 : 1));
  return library;
}

export function openLibrary({ id }: Pick<Library, "id">): void {
  chooseLibrary(id);
  navigate("library", id);
}

/** Rejects if the service refuses, so that the editor can stay open. */
export async function renameLibraryTo(library: Library, name: string): Promise<void> {
  await renameLibrary(library.id, name);
  await refreshLibraries();
  offerUndo(`“${library.name}” is now “${name}”`, async () => {
    await renameLibrary(library.id, library.name);
    await refreshLibraries();
  });
}

/** Let all keys read a library, or its own key alone. */
export async function setShared(library: Library, shared: boolean): Promise<void> {
  try {
    await shareLibrary(library.id, shared);
  } catch (error) {
    return showProblem(error);
  }
  await refreshLibraries();
}

export async function removeLibrary(library: Library): Promise<void> {
  try {
    await deleteLibrary(library.id);
  } catch (error) {
    return showProblem(error);
  }
  libraries.value = libraries.value.filter(({ id }) => id !== library.id);
  navigate("library");
  offerUndo(`The library “${library.name}” was deleted`, async () => {
    await restoreLibrary(library.id);
    await refreshLibraries();
    openLibrary(library);
  });
}
