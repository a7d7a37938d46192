/** The selection as two editable times, with buttons for the loop, zoom and the whole track. */
import { loop } from "../state/preferences";
import { Button } from "../ui/Button";
import { selectSpan } from "./actions";
import { duration, queryState, zoomed } from "./state";
import { formatClock, parseSeconds } from "./timeFormat";

export function SelectionBar() {
  const { selection } = queryState.value;
  const whole = duration.value;
  const take = (side: 0 | 1) => (event: Event) => {
    const field = event.currentTarget as HTMLInputElement;
    const typed = parseSeconds(field.value);
    const span: [number, number] = [...(selection ?? [0, whole])];
    if (typed !== null) span[side] = Math.min(typed, whole);
    if (typed !== null && span[1] - span[0] >= 0.1) selectSpan(span);
    else field.value = formatClock(selection?.[side] ?? (side ? whole : 0)); // invalid input is reverted
  };
  return (
    <div class="selection" data-test="selection" data-set={selection !== null}>
      <label>
        <span class="unseen">Listen </span>from
        <input
          class="input"
          inputmode="decimal"
          data-test="from"
          value={formatClock(selection?.[0] ?? 0)}
          onChange={take(0)}
        />
      </label>
      <label>
        to
        <input
          class="input"
          inputmode="decimal"
          data-test="to"
          value={formatClock(selection?.[1] ?? whole)}
          onChange={take(1)}
        />
      </label>
      <Button
        kind="quiet"
        icon="loop"
        label={`Loop: repeat the ${selection ? "selection" : "track"}, and a match's preview (R)`}
        data-test="loop"
        pressed={loop.value}
        onClick={() => {
          loop.value = !loop.value;
        }}
      >
        Loop
      </Button>
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
          <Button kind="quiet" data-test="whole" onClick={() => selectSpan(null)}>
            Whole track
          </Button>
        </>
      ) : (
        <span class="quiet selection-hint">Drag over the waveform to select a part.</span>
      )}
    </div>
  );
}
