/** An instrument's family as a chip; the chip is a select that corrects it. */
import { limits } from "../state/server";
import { familyName } from "../ui/Family";

interface FamilySelectProps {
  family: string | null;
  name: string;
  onChange: (family: string | null) => void;
  tabIndex?: number;
}

export function FamilySelect({ family, name, onChange, tabIndex = 0 }: FamilySelectProps) {
  return (
    <select
      class="chip family-chip"
      data-test="family"
      data-family={family ?? "none"}
      aria-label={`Family of ${name}`}
      title="Change the family"
      tabIndex={tabIndex}
      value={family ?? ""}
      onChange={(event) => onChange(event.currentTarget.value || null)}
    >
      <option value="">unknown</option>
      {limits.value.families.map((other) => (
        <option key={other} value={other}>
          {familyName(other)}
        </option>
      ))}
    </select>
  );
}
