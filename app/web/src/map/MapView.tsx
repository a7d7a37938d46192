/** The map view: the library in two dimensions, where neighbours sound alike. */
import { currentLibrary } from "../state/libraries";

export function MapView({ id }: { id: string | null }) {
  const library = currentLibrary.value;
  return (
    <section class="view" data-test="map" data-id={id ?? library?.id} aria-labelledby="map-title">
      <h2 id="map-title">{library ? `Map of ${library.name}` : "Map"}</h2>
      <p class="quiet">Every instrument of the library as a point; neighbours sound alike.</p>
    </section>
  );
}
