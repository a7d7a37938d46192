/** What other views want the library view to show: an instrument to find in its list. */
import { signal } from "@preact/signals";
import { chooseLibrary } from "../state/libraries";
import { navigate } from "../state/route";

export interface Sought {
  library: string;
  id: string;
  name: string;
}

export const sought = signal<Sought | null>(null);

/** Open the library at an instrument. */
export function findInLibrary(what: Sought): void {
  sought.value = what;
  chooseLibrary(what.library);
  navigate("library", what.library);
}
