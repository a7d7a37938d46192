/** Notes from the MIDI keyboards of this machine, through Web MIDI. */

const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;

export const midiIsThere = (): boolean => "requestMIDIAccess" in navigator;

/** A message's note and velocity, 0 when it is released; null for messages of other kinds. */
export function noteOf(message: ArrayLike<number>): { pitch: number; velocity: number } | null {
  const [status = 0, pitch = 0, velocity = 0] = Array.from(message);
  const kind = status & 0xf0; // the rest is the channel
  if (kind === NOTE_ON) return { pitch, velocity };
  return kind === NOTE_OFF ? { pitch, velocity: 0 } : null;
}

/** Listen to all inputs, later ones too. `onInputs` gets their names. Rejects if the browser does not allow it. */
export async function listenToMidi(
  onNote: (pitch: number, velocity: number) => void,
  onInputs: (names: readonly string[]) => void,
): Promise<() => void> {
  const access = await navigator.requestMIDIAccess();
  const take = (event: MIDIMessageEvent) => {
    const note = event.data && noteOf(event.data);
    if (note) onNote(note.pitch, note.velocity);
  };
  const follow = () => {
    const inputs = [...access.inputs.values()];
    for (const input of inputs) input.onmidimessage = take;
    onInputs(inputs.map((input) => input.name ?? "a MIDI input"));
  };
  access.onstatechange = follow;
  follow();
  return () => {
    access.onstatechange = null;
    for (const input of access.inputs.values()) input.onmidimessage = null;
  };
}
