/** The library view: the list of libraries, and one library to browse, correct and extend. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { chooseLibrary, currentLibrary, libraries, librariesKnown } from "../state/libraries";
import { mayWrite } from "../state/session";
import { AddPanel } from "./AddPanel";
import { Browser } from "./Browser";
import { Duplicates } from "./Duplicates";
import { EnrollmentList } from "./EnrollmentList";
import { LibraryHead } from "./LibraryHead";
import { LibraryList } from "./LibraryList";
import { ServerFolders } from "./ServerFolders";
import { UnfinishedUploads } from "./UnfinishedUploads";
import { UpdateNotice } from "./UpdateNotice";
import "./adding.css";
import "./library.css";
import "./instruments.css";
import "./selection.css";
import { openLibrary } from "./libraryActions";

export function LibraryView({ id }: { id: string | null }) {
  const named = libraries.value.find((library) => library.id === id);
  const library = id ? named : currentLibrary.value;
  const duplicates = useSignal<string | null>(null); // id of the library whose duplicates are shown
  useEffect(() => {
    if (named) chooseLibrary(named.id);
  }, [named?.id]);
  const compares = library !== null && library !== undefined && duplicates.value === library.id;
  return (
    <section
      class="view library"
      data-test="library"
      data-id={library?.id}
      aria-label={library ? undefined : "Library"}
      aria-labelledby={library ? "library-title" : undefined}
    >
      <LibraryList open={library?.id ?? null} />
      <div class="library-main">
        {library && (
          <LibraryHead
            library={library}
            duplicates={compares}
            onDuplicates={(shown) => {
              duplicates.value = shown ? library.id : null;
            }}
          />
        )}
        {library && <UpdateNotice library={library} />}
        {mayWrite.value && <AddPanel library={library ?? null} onAdded={openLibrary} />}
        {library && mayWrite.value && library.writable && (
          <ServerFolders key={library.id} library={library} />
        )}
        <EnrollmentList open={library?.id ?? null} />
        <UnfinishedUploads />
        {library && !compares && <Browser key={library.id} library={library} />}
        {library && compares && (
          <Duplicates
            library={library}
            onClose={() => {
              duplicates.value = null;
            }}
          />
        )}
        {!library && librariesKnown.value && (
          <p class="nothing" data-test="empty">
            {id
              ? "This library does not exist or was deleted. Choose another one, or undo with Ctrl+Z."
              : "There are no libraries yet. Drop a folder of samples, a zip or a SoundFont to create one."}
          </p>
        )}
      </div>
    </section>
  );
}
