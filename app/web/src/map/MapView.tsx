/** The map view: the library in two dimensions, where neighbours sound alike. */
import { useEffect } from "preact/hooks";
import { useWindowDrop } from "../library/dropping";
import { chooseLibrary, currentLibrary, libraries, librariesKnown } from "../state/libraries";
import { hashOf, navigate } from "../state/route";
import { say } from "../state/toasts";
import { LibraryMapView } from "./LibraryMapView";
import "./map.css";
import "./side.css";

export function MapView({ id }: { id: string | null }) {
  const named = libraries.value.find((library) => library.id === id);
  const library = id ? named : currentLibrary.value;
  useEffect(() => {
    if (named) chooseLibrary(named.id);
  }, [named?.id]);
  useWindowDrop(() => say("Drop a track in Listen, and instruments in Library."));
  return (
    <section class="view map-view" data-test="map" data-id={library?.id} aria-labelledby="map-title">
      <header class="map-head">
        <h2 id="map-title">Map</h2>
        <label class="field">
          <span class="unseen">Library</span>
          <select
            data-test="library-select"
            aria-label="Library on the map"
            value={library?.id ?? ""}
            onChange={(event) => navigate("map", event.currentTarget.value)}
          >
            {!library && <option value="">Choose a library</option>}
            {libraries.value.map((other) => (
              <option key={other.id} value={other.id}>
                {other.name}
              </option>
            ))}
          </select>
        </label>
      </header>
      {library && library.num_instruments > 0 && <LibraryMapView key={library.id} library={library} />}
      {library?.num_instruments === 0 && (
        <p class="nothing" data-test="empty">
          <span>Nothing is in “{library.name}” yet, so there is nothing to draw.</span>
          <a href={hashOf("library", library.id)}>Add instruments to it</a>
        </p>
      )}
      {!library && librariesKnown.value && (
        <p class="nothing" data-test="empty">
          <span>
            {id ? "This library is not there (any more); choose another one." : "There is no library yet."}
          </span>
          <a href={hashOf("library")}>Go to the libraries</a>
        </p>
      )}
    </section>
  );
}
