/** The list of all libraries, with a field to create one. */
import { useSignal } from "@preact/signals";
import { libraries } from "../state/libraries";
import { hashOf } from "../state/route";
import { mayWrite } from "../state/session";
import { Button } from "../ui/Button";
import { enrollments, isOver } from "./enrollments";
import { addLibrary, openLibrary } from "./libraryActions";
import { NameEdit } from "./NameEdit";

export function LibraryList({ open }: { open: string | null }) {
  const naming = useSignal(false);
  const busy = new Set(enrollments.value.filter((item) => !isOver(item)).map(({ library }) => library.id));
  return (
    <nav class="library-rows" aria-label="Libraries">
      <ul>
        {libraries.value.map((library) => (
          <li key={library.id}>
            <a
              href={hashOf("library", library.id)}
              data-test="library-row"
              data-id={library.id}
              aria-current={library.id === open ? "page" : undefined}
            >
              <span class="library-row-name">{library.name}</span>
              {busy.has(library.id) && (
                <span
                  class="library-row-busy"
                  role="img"
                  aria-label="Instruments are being added"
                  title="Instruments are being added"
                />
              )}
              {library.update_job ? (
                <span class="library-row-busy" role="img" aria-label="Being updated" title="Being updated" />
              ) : (
                library.state !== "ready" && (
                  <span class="mark-stale" data-test="row-stale">
                    update
                  </span>
                )
              )}
              <span class="library-row-count">{library.num_instruments.toLocaleString("en")}</span>
            </a>
          </li>
        ))}
      </ul>
      {mayWrite.value &&
        (naming.value ? (
          <NameEdit
            value=""
            label="Name of the new library"
            placeholder="Name, then Enter"
            test="new-library-name"
            onSave={async (name) => openLibrary(await addLibrary(name))}
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
        ))}
    </nav>
  );
}
