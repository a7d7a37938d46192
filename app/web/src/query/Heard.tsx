/** The families heard in the whole track on its time axis, above the lanes; a click plays the track from there. */
import type { HeardFamily, QueryAnswer } from "../api/types";
import { heardShown } from "../state/preferences";
import { familyName } from "../ui/Family";
import { playFromClick } from "./abCompare";
import { FamilyStrip } from "./FamilyStrip";
import { isPerhaps, rowOf, shownFamilies, strip } from "./heard";
import { visibleSpan } from "./state";
import { formatSpans } from "./timeFormat";
import { timeline } from "./timeline";

export function Heard({ answer }: { answer: QueryAnswer }) {
  const families = shownFamilies(answer);
  if (!families.length) return null;
  return (
    <details
      class="heard"
      data-test="heard"
      open={heardShown.value}
      onToggle={(event) => {
        heardShown.value = event.currentTarget.open;
      }}
    >
      <summary title="Whatever your library holds">
        Families heard
        <span class="heard-names">{namesOf(families)}</span>
      </summary>
      <ul>
        {families.map((heard) => (
          <Row key={heard.family} heard={heard} answer={answer} />
        ))}
      </ul>
    </details>
  );
}

function namesOf(families: readonly HeardFamily[]): string {
  const names = (some: readonly HeardFamily[]) => some.map(({ family }) => familyName(family)).join(", ");
  const perhaps = names(families.filter(isPerhaps));
  return [names(families.filter((one) => !isPerhaps(one))), perhaps && `perhaps ${perhaps}`]
    .filter(Boolean)
    .join("; ");
}

function Row({ heard, answer }: { heard: HeardFamily; answer: QueryAnswer }) {
  const view = visibleSpan.value;
  const perhaps = isPerhaps(heard);
  const found = timeline.value;
  const row = rowOf(found, heard.family);
  const active = row?.active.length ? row.active : heard.active;
  const plays = `${perhaps ? "perhaps plays" : "plays"} ${formatSpans(active) || "nowhere for sure"}`;
  return (
    <li
      class="heard-row"
      data-test="heard-family"
      data-perhaps={perhaps}
      style={{ "--tint": `var(--family-${heard.family})` }}
    >
      <span class="heard-name">{familyName(heard.family)}</span>
      <span class="heard-perhaps">{perhaps && "perhaps"}</span>
      <span class="heard-time">
        {found && row && <FamilyStrip found={found} row={row} />}
        <button
          type="button"
          style={row ? undefined : { backgroundImage: strip(heard.curve, answer.range_seconds, view) }}
          title={`${familyName(heard.family)} ${plays}`}
          aria-label={`${familyName(heard.family)} ${plays}. Play the track from there.`}
          onClick={(event) => playFromClick(event, view, active[0]?.[0] ?? view[0])}
        />
        <span class="playhead" />
      </span>
    </li>
  );
}
