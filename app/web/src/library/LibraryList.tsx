/** All libraries beside the open one, and a field to make another. */
import { useSignal } from "@preact/signals";
import { libraries } from "../state/libraries";
import { hashOf } from "../state/route";
import { Button } from "../ui/Button";
import { enrolments, isOver } from "./enrolments";
import { createNamed, openLibrary } from "./libraryChanges";
import { NameEdit } from "./NameEdit";

export function LibraryList({ open }: { open: string | null }) {
  const naming = useSignal(false);
  const busy = new Set(enrolments.value.filter((item) => !isOver(item)).map(({ library }) => library.id));
  return (
    <nav class="shelves" aria-label="Libraries">
      <ul>
        {libraries.value.map((library) => (
          <li key={library.id}>
            <a
              href={hashOf("library", library.id)}
              data-test="library-row"
              data-id={library.id}
              aria-current={library.id === open ? "page" : undefined}
            >
              <span class="shelf-name">{library.name}</span>
              {busy.has(library.id) && (
                <span class="shelf-busy" role="img" aria-label="being added to" title="Being added to" />
              )}
              <span class="shelf-count">{library.num_instruments.toLocaleString("en")}</span>
            </a>
          </li>
        ))}
      </ul>
      {naming.value ? (
        <NameEdit
          value=""
          label="Name of the new library"
          placeholder="Name it, then Enter"
          test="new-library-name"
          onSave={async (name) => openLibrary(await createNamed(name))}
          onClose={() => {
            naming.value = false;
          }}
        />
      ) : (
        <Button
          kind="quiet"
          icon="plus"
          data-test="new-library"
          onClick={() => {
            naming.value = true;
          }}
        >
          New library
        </Button>
      )}
    </nav>
  );
}
