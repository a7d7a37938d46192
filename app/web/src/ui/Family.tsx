/** A family name as a chip in the family's colour. */

/** `synth_lead` → `synth lead`; null → `unknown`. */
export function familyName(family: string | null): string {
  return family ? family.replaceAll("_", " ") : "unknown";
}

export function FamilyChip({ family }: { family: string | null }) {
  return (
    <span class="chip" data-family={family ?? "none"}>
      {familyName(family)}
    </span>
  );
}
