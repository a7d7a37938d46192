/** The query view: a reference track in, one lane per instrument heard in it, and the library's answers to each. */
export function QueryView({ shown, id }: { shown: boolean; id: string | null }) {
  return (
    <section class="view" data-test="query" data-shown={shown} data-id={id} aria-label="Listen">
      <p class="quiet">Drop a track here.</p>
    </section>
  );
}
