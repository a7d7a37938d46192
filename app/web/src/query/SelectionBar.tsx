/** The selected part in numbers, for those who type or use no mouse; zoom to it, or take the whole track again. */
import { Button } from "../ui/Button";
import { select } from "./deeds";
import { duration, shown, zoomed } from "./state";
import { clock, secondsOf } from "./times";

export function SelectionBar() {
  const { selection } = shown.value;
  const whole = duration.value;
  const take = (side: 0 | 1) => (event: Event) => {
    const field = event.currentTarget as HTMLInputElement;
    const typed = secondsOf(field.value);
    const span: [number, number] = [...(selection ?? [0, whole])];
    if (typed !== null) span[side] = Math.min(typed, whole);
    if (typed !== null && span[1] - span[0] >= 0.1) select(span);
    else field.value = clock(selection?.[side] ?? (side ? whole : 0)); // what makes no sense is taken back
  };
  return (
    <div class="selection" data-test="selection" data-set={selection !== null}>
      <label>
        <span class="unseen">Listen </span>from
        <input
          class="input"
          inputmode="decimal"
          data-test="from"
          value={clock(selection?.[0] ?? 0)}
          onChange={take(0)}
        />
      </label>
      <label>
        to
        <input
          class="input"
          inputmode="decimal"
          data-test="to"
          value={clock(selection?.[1] ?? whole)}
          onChange={take(1)}
        />
      </label>
      {selection ? (
        <>
          <Button
            kind="quiet"
            pressed={zoomed.value}
            data-test="zoom"
            onClick={() => {
              zoomed.value = !zoomed.value;
            }}
          >
            {zoomed.value ? "Zoom out" : "Zoom in"}
          </Button>
          <Button kind="quiet" data-test="whole" onClick={() => select(null)}>
            Whole track
          </Button>
        </>
      ) : (
        <span class="quiet selection-hint">Drag over the waveform to listen to a part.</span>
      )}
    </div>
  );
}
