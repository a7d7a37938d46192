/** The keys of a small keyboard: which computer key plays which, names of pitches, and the octaves to show.
 * Pitches count as in MIDI: 60 is middle C, here C4. */

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const ROW = ["A", "W", "S", "E", "D", "F", "T", "G", "Y", "H", "U", "J", "K", "O", "L", "P"]; // from C upwards
const USUAL_LOWEST = 48; // C3

export const HIGHEST = 127;

/** The pitch's name, as `F♯3`. */
export const pitchName = (pitch: number): string => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

export const isBlack = (pitch: number): boolean => NAMES[pitch % 12]?.length === 2;

/** The semitones above the lowest key shown that a computer key plays, by its place (KeyboardEvent.code); null: none. */
export function semitonesOf(code: string): number | null {
  const at = ROW.indexOf(code.replace(/^Key/, ""));
  return code.startsWith("Key") && at >= 0 ? at : null;
}

/** The letter that plays the key so many semitones above the lowest one shown; null: none. */
export const letterOf = (semitones: number): string | null => ROW[semitones] ?? null;

/** The C from which `count` keys hold the most of `pitches`; of equal ones the nearest to C3. */
export function bestLowest(pitches: Iterable<number>, count: number): number {
  const all = [...pitches];
  const held = (lowest: number) => all.filter((pitch) => pitch >= lowest && pitch < lowest + count).length;
  let best = USUAL_LOWEST;
  for (const step of [-12, 12, -24, 24, -36, 36, -48, 48, 60])
    if (held(USUAL_LOWEST + step) > held(best)) best = USUAL_LOWEST + step;
  return best;
}
