/** A family name as a chip in the family's colour. */

/** `synth_lead` → `synth lead`; null → `unknown`. */
export function familyName(family: string | null): string {
  return family ? family.replaceAll("_", " ") : "unknown";
}

/** The family as words: `guitar`, `≈ guitar` where it was recognised from the sound alone, or `unknown`. */
export function familyWords(family: string | null, recognised: string | null = null): string {
  return !family && recognised ? `≈ ${familyName(recognised)}` : familyName(family);
}

interface FamilyChipProps {
  family: string | null;
  recognised?: string | null; // by its sound, where no family is named
}

export function FamilyChip({ family, recognised = null }: FamilyChipProps) {
  const heard = !family && recognised;
  return (
    <span
      class="chip"
      data-family={family ?? recognised ?? "none"}
      title={heard ? "Recognised from its sound" : undefined}
    >
      {familyWords(family, recognised)}
    </span>
  );
}
