/** An instrument's family as a chip that is a select at the same time: to correct it is one choice. */
import { limits } from "../state/server";
import { familyWords } from "../ui/Family";

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
      title="Correct the family"
      tabIndex={tabIndex}
      value={family ?? ""}
      onChange={(event) => onChange(event.currentTarget.value || null)}
    >
      <option value="">unknown</option>
      {limits.value.families.map((other) => (
        <option key={other} value={other}>
          {familyWords(other)}
        </option>
      ))}
    </select>
  );
}
