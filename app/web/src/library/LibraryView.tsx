/** The library view: the instruments of one library, to browse, correct and add to. */
import { currentLibrary } from "../state/libraries";

export function LibraryView({ id }: { id: string | null }) {
  const library = currentLibrary.value;
  return (
    <section class="view" data-test="library" data-id={id ?? library?.id} aria-labelledby="library-title">
      <h2 id="library-title">{library ? library.name : "Library"}</h2>
      <p class="quiet">Every instrument of the library: browse, hear, rename, correct, add and remove.</p>
    </section>
  );
}
