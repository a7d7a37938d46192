/** A lane's Solo and Mute buttons: one tab stop, within which ← and → move. */
import { useRef, useState } from "preact/hooks";
import { Button } from "../ui/Button";
import { canIsolate, isIsolated, isolating, NOT_A_STEM, toggleIsolation } from "./isolation";
import type { Lane } from "./lanes";
import type { Isolation } from "./state";

const WAYS = [
  { how: "solo", text: "Solo", does: (number: number) => `Hear instrument ${number} alone (S)` },
  { how: "mute", text: "Mute", does: (number: number) => `Hear the track without instrument ${number} (M)` },
] as const;

export function LaneMix({ lane, number }: { lane: Lane; number: number }) {
  const box = useRef<HTMLFieldSetElement>(null);
  const [stop, setStop] = useState<Isolation["how"]>("solo");
  const move = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const next = event.key === "ArrowLeft" ? "solo" : "mute";
    box.current?.querySelector<HTMLElement>(`[data-test="${next}"]`)?.focus();
    event.preventDefault(); // the play-head stays
  };
  return (
    <fieldset ref={box} class="lane-mix" aria-label={`Hear instrument ${number}`} onKeyDown={move}>
      {WAYS.map(({ how, text, does }) => {
        const waits = isolating.value?.lane === lane.key && isolating.value.how === how;
        return (
          <Button
            key={how}
            kind="quiet"
            label={`${text}: ${does(number)}, ${NOT_A_STEM}`}
            data-test={how}
            data-busy={waits}
            tabIndex={stop === how ? 0 : -1}
            pressed={isIsolated(lane, how)}
            disabled={!canIsolate(lane)}
            onFocus={() => setStop(how)}
            onClick={() => void toggleIsolation(lane, how)}
          >
            {waits ? `${text}…` : text}
          </Button>
        );
      })}
    </fieldset>
  );
}
