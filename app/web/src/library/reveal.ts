/** Lets other views reveal an instrument in the library view. */
import { signal } from "@preact/signals";
import { chooseLibrary } from "../state/libraries";
import { navigate } from "../state/route";

export interface RevealTarget {
  library: string;
  id: string;
  name: string;
}

export const revealTarget = signal<RevealTarget | null>(null);

/** Open the library and scroll to an instrument. */
export function revealInLibrary(what: RevealTarget): void {
  revealTarget.value = what;
  chooseLibrary(what.library);
  navigate("library", what.library);
}
