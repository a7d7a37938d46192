/** The map view: a library in two dimensions, where similar instruments are neighbours. */
import { useEffect } from "preact/hooks";
import { useWindowDrop } from "../library/useWindowDrop";
import { chooseLibrary, currentLibrary, libraries, librariesKnown } from "../state/libraries";
import { hashOf, navigate } from "../state/route";
import { showToast } from "../state/toasts";
import { LibraryMapView } from "./LibraryMapView";
import "./map.css";
import "./side.css";

export function MapView({ id }: { id: string | null }) {
  const named = libraries.value.find((library) => library.id === id);
  const library = id ? named : currentLibrary.value;
  useEffect(() => {
    if (named) chooseLibrary(named.id);
  }, [named?.id]);
  useWindowDrop(() => showToast("Drop tracks in the Listen view, and instruments in the Library view."));
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
          <span>“{library.name}” is empty, so there is nothing to draw.</span>
          <a href={hashOf("library", library.id)}>Add instruments to it</a>
        </p>
      )}
      {!library && librariesKnown.value && (
        <p class="nothing" data-test="empty">
          <span>
            {id
              ? "This library does not exist or was deleted. Choose another one."
              : "There are no libraries yet."}
          </span>
          <a href={hashOf("library")}>Go to the libraries</a>
        </p>
      )}
    </section>
  );
}
