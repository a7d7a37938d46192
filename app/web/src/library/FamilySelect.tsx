/** An instrument's family as a chip; the chip is a select that corrects it, or confirms what was recognised from the sound. */
import type { Instrument } from "../api/types";
import { limits } from "../state/server";
import { familyName, familyWords } from "../ui/Family";

const NO_FAMILY = "none"; // the value of the option that denies a recognised family

interface FamilySelectProps {
  item: Instrument;
  onChange: (family: string | null) => void;
  tabIndex?: number;
}

export function FamilySelect({ item, onChange, tabIndex = 0 }: FamilySelectProps) {
  const { family, recognised_family: recognised } = item;
  return (
    <select
      class="chip family-chip"
      data-test="family"
      data-family={family ?? recognised ?? "none"}
      aria-label={`Family of ${item.name}`}
      title={titleOf(item)}
      tabIndex={tabIndex}
      value={family ?? ""}
      onChange={({ currentTarget: { value } }) => onChange(value === NO_FAMILY ? null : value || null)}
    >
      <option value="">{familyWords(null, recognised)}</option>
      {recognised && <option value={NO_FAMILY}>{familyName(null)}</option>}
      {limits.value.families.map((other) => (
        <option key={other} value={other}>
          {familyName(other)}
        </option>
      ))}
    </select>
  );
}

function titleOf({ recognised_family: recognised, families }: Instrument): string {
  if (!recognised) return "Change the family";
  const percent = Math.round(100 * (families?.[recognised] ?? 0));
  return `Recognised from its sound, ${percent} % sure. Choose a family to confirm or change it`;
}
