/** The keys of a piano: one tab stop, within which the arrow keys move; Space and Enter play. */
import { useRef, useState } from "preact/hooks";
import { HIGHEST, isBlack, letterOf, pitchName } from "./keys";

interface PianoProps {
  keys: ReadonlySet<number> | null; // that play; null: not known yet
  lowest: number; // pitch of the first key shown
  count: number;
  down: ReadonlySet<number>; // that are pressed
  press: (pitch: number) => void;
  release: (pitch: number) => void;
}

export function Piano({ keys, lowest, count, down, press, release }: PianoProps) {
  const shown = Array.from({ length: count }, (_, index) => lowest + index).filter(
    (pitch) => pitch <= HIGHEST,
  );
  const [last, setLast] = useState(lowest);
  const box = useRef<HTMLFieldSetElement>(null);
  const playable = shown.filter((pitch) => keys?.has(pitch));
  const stop = playable.includes(last) ? last : playable[0];
  const pointers = useRef(new Map<number, number>()); // the key under each finger

  const slide = (event: PointerEvent) => {
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const pitch = Number(under?.closest<HTMLElement>(".key:not(:disabled)")?.dataset.pitch ?? Number.NaN);
    const before = pointers.current.get(event.pointerId);
    if (before === pitch) return;
    lift(event);
    if (Number.isNaN(pitch)) return;
    pointers.current.set(event.pointerId, pitch);
    press(pitch);
  };
  const lift = (event: PointerEvent) => {
    const before = pointers.current.get(event.pointerId);
    pointers.current.delete(event.pointerId);
    if (before !== undefined) release(before);
  };

  const onKeyDown = (event: KeyboardEvent, pitch: number) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      const next = playable[playable.indexOf(pitch) + step];
      box.current?.querySelector<HTMLElement>(`[data-pitch="${next}"]`)?.focus();
    } else if (event.key !== " " && event.key !== "Enter") return;
    else if (!event.repeat) press(pitch);
    event.preventDefault();
  };

  const whites = shown.filter((pitch) => !isBlack(pitch)).length;
  let white = 0;
  return (
    <fieldset
      ref={box}
      class="piano"
      aria-label="Keys"
      style={{ "--whites": whites }}
      onPointerDown={(event) => {
        if (event.button) return;
        box.current?.setPointerCapture(event.pointerId);
        slide(event);
      }}
      onPointerMove={(event) => event.buttons && slide(event)}
      onPointerUp={lift}
      onPointerCancel={lift}
    >
      {shown.map((pitch) => {
        const black = isBlack(pitch);
        const place = black ? white : white++;
        return (
          <button
            key={pitch}
            type="button"
            class={black ? "key key-black" : "key"}
            style={{ "--place": place }}
            data-test="key"
            data-pitch={pitch}
            data-down={down.has(pitch)}
            aria-label={pitchName(pitch)}
            aria-pressed={down.has(pitch)}
            disabled={!keys?.has(pitch)}
            title={keys && !keys.has(pitch) ? `${pitchName(pitch)} is out of its range` : undefined}
            tabIndex={pitch === stop ? 0 : -1}
            onFocus={() => setLast(pitch)}
            onKeyDown={(event) => onKeyDown(event, pitch)}
            onKeyUp={(event) => (event.key === " " || event.key === "Enter") && release(pitch)}
            onBlur={() => down.has(pitch) && release(pitch)}
          >
            <kbd>{letterOf(pitch - lowest)}</kbd>
          </button>
        );
      })}
    </fieldset>
  );
}
