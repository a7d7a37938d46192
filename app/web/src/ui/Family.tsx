/** The name of a family as a chip in the family's colour, the same in every view.
 * Names come from the service (`synth_lead`); people read words. */

/** `synth_lead` → `synth lead`; null is unknown. */
export function familyWords(family: string | null): string {
  return family ? family.replaceAll("_", " ") : "unknown";
}

export function FamilyChip({ family }: { family: string | null }) {
  return (
    <span class="chip" data-family={family ?? "none"}>
      {familyWords(family)}
    </span>
  );
}
