/** The open library's name and the actions on the whole library. */
import { useSignal } from "@preact/signals";
import type { Library } from "../api/types";
import { hashOf } from "../state/route";
import { session } from "../state/session";
import { Button } from "../ui/Button";
import { removeLibrary, renameLibraryTo, setShared } from "./libraryActions";
import { NameEdit } from "./NameEdit";

interface LibraryHeadProps {
  library: Library;
  duplicates: boolean;
  onDuplicates: (shown: boolean) => void;
}

export function LibraryHead({ library, duplicates, onDuplicates }: LibraryHeadProps) {
  const naming = useSignal(false);
  return (
    <header class="library-head">
      {naming.value ? (
        <NameEdit
          value={library.name}
          label="New library name"
          test="library-name-edit"
          onSave={(name) => renameLibraryTo(library, name)}
          onClose={() => {
            naming.value = false;
          }}
        />
      ) : (
        <h2 id="library-title" data-test="library-name">
          {library.name}
          {library.default && <small class="quiet">default</small>}
          {library.filling && (
            <small class="quiet" data-test="filling">
              being filled
            </small>
          )}
        </h2>
      )}
      <div class="library-tools">
        <Button
          icon="copy"
          pressed={duplicates}
          data-test="duplicates-open"
          onClick={() => onDuplicates(!duplicates)}
        >
          Duplicates
        </Button>
        <a class="button button-plain" href={hashOf("map", library.id)} data-test="map-open">
          Map
        </a>
        {session.value?.keys_required && library.writable && !library.default && (
          <Button
            kind="quiet"
            icon="share"
            label={library.shared ? "Shared with all keys for reading" : "Share with all keys for reading"}
            pressed={library.shared}
            data-test="share-library"
            onClick={() => void setShared(library, !library.shared)}
          />
        )}
        {!library.default && library.writable && (
          <>
            <Button
              kind="quiet"
              icon="edit"
              label={`Rename library ${library.name}`}
              data-test="rename-library"
              onClick={() => {
                naming.value = true;
              }}
            />
            <Button
              kind="quiet"
              icon="trash"
              label={`Delete library ${library.name}`}
              data-test="delete-library"
              onClick={() => void removeLibrary(library)}
            />
          </>
        )}
      </div>
    </header>
  );
}
