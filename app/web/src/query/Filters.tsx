/** Query options: library, family, matches per lane and method; a change runs the query again. */
import { currentLibrary, libraries, librariesKnown } from "../state/libraries";
import { mode, topK } from "../state/preferences";
import { limits } from "../state/server";
import { familyName } from "../ui/Family";
import { changeLibrary, changeMode, changeTopK, filterByFamily } from "./actions";
import { queryState } from "./state";

const COUNTS = [3, 6, 10, 20, 50];
const WITH_EFFECTS = "+effect"; // any family, sound effects too, which are hidden otherwise

export function Filters() {
  const { family, effects } = queryState.value;
  return (
    <fieldset class="filters" aria-label="Query options">
      <LibrarySelect />
      <label class="field" title="Sound effects are not matched unless you ask for them.">
        Family
        <select
          data-test="family-select"
          value={family ?? (effects ? WITH_EFFECTS : "")}
          onChange={({ currentTarget: { value } }) =>
            filterByFamily(value === WITH_EFFECTS ? null : value || null, value === WITH_EFFECTS)
          }
        >
          <option value="">any</option>
          <option value={WITH_EFFECTS}>any + effects</option>
          {limits.value.families.map((family) => (
            <option key={family} value={family}>
              {familyName(family)}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        Matches
        <select
          data-test="top-k"
          value={topK.value}
          onChange={(event) => changeTopK(Number(event.currentTarget.value))}
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
        title="Recommended: only the instruments that are heard, followed over time. As published: every slot of the model, as in the paper."
      >
        Method
        <select
          data-test="mode-select"
          value={mode.value}
          onChange={(event) => changeMode(event.currentTarget.value === "paper" ? "paper" : "auto")}
        >
          <option value="auto">Recommended</option>
          <option value="paper">As published</option>
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
        onChange={(event) => changeLibrary(event.currentTarget.value)}
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
