/** A small keyboard that plays an instrument: with the mouse or fingers, with computer keys, and with MIDI keyboards.
 * Its letters play while the focus is in it. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getKeys } from "../api/client";
import { Button } from "../ui/Button";
import { Problem } from "../ui/Problem";
import { bestLowest, HIGHEST, pitchName, semitonesOf } from "./keys";
import { listenToMidi, midiIsThere } from "./midi";
import { NotePlayer } from "./notePlayer";
import { Piano } from "./Piano";
import { closeKeyboard, type Played } from "./played";
import "./keyboard.css";

const VELOCITY = 100; // of keys without one
const octavesShown = () => (matchMedia("(max-width: 620px)").matches ? 1 : 2);

export function Keyboard({ instrument }: { instrument: Played }) {
  const count = useMemo(() => 12 * octavesShown() + 1, []);
  const player = useMemo(() => new NotePlayer(instrument.id), [instrument.id]);
  const box = useRef<HTMLElement>(null);
  const letters = useRef(new Map<string, number>()); // pitches by the computer key that holds them
  const [keys, setKeys] = useState<ReadonlySet<number> | null>(null); // null: not known yet
  const [lowest, setLowest] = useState(bestLowest([], count));
  const [down, setDown] = useState<ReadonlySet<number>>(new Set());
  const [loading, setLoading] = useState(true);
  const [problem, setProblem] = useState<unknown>(null);

  useEffect(() => {
    box.current?.focus();
    const asking = new AbortController();
    getKeys(instrument.id, { signal: asking.signal }).then(
      ({ pitches }) => {
        setKeys(new Set(pitches));
        setLowest(bestLowest(pitches, count));
      },
      (error: unknown) => asking.signal.aborted || setProblem(error),
    );
    return () => {
      asking.abort();
      player.close();
    };
  }, [player]);

  useEffect(() => {
    if (!keys) return;
    const middle = lowest + (count - 1) / 2;
    const shown = [...keys].filter((pitch) => pitch >= lowest && pitch < lowest + count);
    shown.sort((one, other) => Math.abs(one - middle) - Math.abs(other - middle));
    setLoading(true);
    player
      .load(shown, VELOCITY)
      .catch(setProblem)
      .finally(() => setLoading(false));
  }, [keys, lowest]);

  const press = (pitch: number, velocity = VELOCITY) => {
    if (!keys?.has(pitch)) return;
    setProblem(null);
    setDown((before) => new Set(before).add(pitch));
    player.press(pitch, velocity).catch(setProblem);
  };
  const release = (pitch: number) => {
    setDown((before) => new Set([...before].filter((one) => one !== pitch)));
    player.release(pitch);
  };
  const move = (octaves: number) => setLowest(lowest + 12 * octaves);
  const canMove = (octaves: number) => {
    const next = lowest + 12 * octaves;
    return (
      next >= 0 &&
      next + count - 1 <= HIGHEST + 5 &&
      [...(keys ?? [])].some((pitch) => (octaves < 0 ? pitch < lowest : pitch >= lowest + count))
    );
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const semitones = semitonesOf(event.code);
    const octaves = { KeyZ: -1, KeyX: 1 }[event.code];
    if (event.key === "Escape") closeKeyboard();
    else if (octaves !== undefined && canMove(octaves)) move(octaves);
    else if (semitones !== null && !event.repeat) {
      letters.current.set(event.code, lowest + semitones);
      press(lowest + semitones);
    } else if (semitones === null && octaves === undefined) return;
    event.preventDefault(); // not the page's shortcuts
  };
  const releaseLetters = (codes: Iterable<string>) => {
    for (const code of [...codes]) {
      const pitch = letters.current.get(code);
      letters.current.delete(code);
      if (pitch !== undefined) release(pitch);
    }
  };

  return (
    <section
      ref={box}
      class="keyboard"
      data-test="keyboard"
      data-loading={loading && problem === null}
      aria-label={`Keyboard: ${instrument.name}`}
      tabIndex={-1}
      onKeyDown={onKeyDown}
      onKeyUp={(event) => releaseLetters([event.code])}
      onFocusOut={() => releaseLetters(letters.current.keys())}
    >
      <header class="keyboard-head">
        <h2>{instrument.name}</h2>
        <span class="quiet" role="status">
          {problem === null && loading ? "The service renders its notes…" : ""}
        </span>
        <span class="keyboard-octaves">
          <Button
            kind="quiet"
            icon="minus"
            label="An octave lower (Z)"
            data-test="octave-down"
            disabled={!canMove(-1)}
            onClick={() => move(-1)}
          />
          <span>
            {pitchName(lowest)} – {pitchName(lowest + count - 1)}
          </span>
          <Button
            kind="quiet"
            icon="plus"
            label="An octave higher (X)"
            data-test="octave-up"
            disabled={!canMove(1)}
            onClick={() => move(1)}
          />
        </span>
        {midiIsThere() && <Midi press={press} release={release} onProblem={setProblem} />}
        <Button kind="quiet" icon="close" label="Close the keyboard (Esc)" onClick={closeKeyboard} />
      </header>
      {problem !== null && <Problem error={problem} />}
      <Piano keys={keys} lowest={lowest} count={count} down={down} press={press} release={release} />
    </section>
  );
}

interface MidiProps {
  press: (pitch: number, velocity: number) => void;
  release: (pitch: number) => void;
  onProblem: (error: unknown) => void;
}

/** Lets MIDI keyboards play, once the user asks for it: the browser then asks for permission. */
function Midi(props: MidiProps) {
  const now = useRef(props);
  now.current = props;
  const stop = useRef<() => void>(() => undefined);
  const [inputs, setInputs] = useState<readonly string[] | null>(null); // null: not listening
  useEffect(() => () => stop.current(), []);
  const listen = () =>
    listenToMidi((pitch, velocity) => {
      if (velocity) now.current.press(pitch, velocity);
      else now.current.release(pitch);
    }, setInputs).then(
      (end) => {
        stop.current = end;
      },
      () => props.onProblem(new Error("The browser does not let this page use MIDI.")),
    );
  if (!inputs)
    return (
      <Button kind="quiet" data-test="midi-input" onClick={() => void listen()}>
        Use MIDI
      </Button>
    );
  return (
    <span class="quiet keyboard-midi" role="status" data-test="midi-inputs" title={inputs.join(", ")}>
      {inputs.length ? `MIDI: ${inputs.join(", ")}` : "No MIDI keyboard is connected"}
    </span>
  );
}
