/** Which library is asked, for which family, how many hits per lane and by which rule; a change asks again. */
import { currentLibrary, libraries, librariesKnown } from "../state/libraries";
import { mode, topK } from "../state/preferences";
import { limits } from "../state/server";
import { familyWords } from "../ui/Family";
import { askLibrary, askMany, askMode, filterFamily } from "./deeds";
import { shown } from "./state";

const COUNTS = [3, 6, 10, 20, 50];

export function Filters() {
  return (
    <fieldset class="filters" aria-label="How to listen">
      <LibrarySelect />
      <label class="field">
        Family
        <select
          data-test="family-select"
          value={shown.value.family ?? ""}
          onChange={(event) => filterFamily(event.currentTarget.value || null)}
        >
          <option value="">any</option>
          {limits.value.families.map((family) => (
            <option key={family} value={family}>
              {familyWords(family)}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        Hits
        <select
          data-test="top-k"
          value={topK.value}
          onChange={(event) => askMany(Number(event.currentTarget.value))}
        >
          {[...new Set([...COUNTS, topK.value])]
            .filter((count) => count <= limits.value.max_top_k)
            .sort((a, b) => a - b)
            .map((count) => (
              <option key={count} value={count}>
                {count}
              </option>
            ))}
        </select>
      </label>
      <label
        class="field"
        title="Auto: only what is heard, followed over time. Paper: every slot of the model, as published."
      >
        Mode
        <select
          data-test="mode-select"
          value={mode.value}
          onChange={(event) => askMode(event.currentTarget.value === "paper" ? "paper" : "auto")}
        >
          <option value="auto">auto</option>
          <option value="paper">paper</option>
        </select>
      </label>
    </fieldset>
  );
}

function LibrarySelect() {
  const current = currentLibrary.value;
  return (
    <label class="field field-library">
      Library
      <select
        data-test="library-select"
        value={current?.id ?? ""}
        disabled={libraries.value.length === 0}
        onChange={(event) => askLibrary(event.currentTarget.value)}
      >
        {libraries.value.length === 0 && <option value="">{librariesKnown.value ? "none yet" : "…"}</option>}
        {libraries.value.map((library) => (
          <option key={library.id} value={library.id}>
            {library.name} ({library.num_instruments})
          </option>
        ))}
      </select>
    </label>
  );
}
