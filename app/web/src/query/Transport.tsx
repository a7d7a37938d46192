/** Beside the waveform: play and pause, where the track stands, and the switch between reference and preview. */
import { position, referencePlays, sounding } from "../audio/player";
import { Icon } from "../ui/icons";
import { compared, switchSides, toggleReference } from "./comparing";
import { duration, shown } from "./state";
import { clock } from "./times";

export function Transport() {
  const plays = sounding.value?.kind === "reference";
  const cannot = referencePlays.value === false;
  const name = shown.value.source?.name ?? "the track";
  return (
    <div class="transport">
      <div class="transport-row">
        <button
          type="button"
          class="play play-large"
          data-test="play-reference"
          aria-label={cannot ? "Your browser cannot play this track" : `${plays ? "Pause" : "Play"} ${name}`}
          title={plays ? "Pause (space)" : "Play (space)"}
          aria-pressed={plays}
          disabled={cannot}
          onClick={toggleReference}
        >
          <Icon name={plays ? "pause" : "play"} size={18} />
        </button>
        <output class="clock" data-test="clock" aria-label="Position">
          {clock(position.value)}
          <small>{duration.value > 0 ? clock(duration.value) : "–:––"}</small>
        </output>
      </div>
      <Sides />
    </div>
  );
}

/** Which side of A/B is heard; the click does what key A does. */
function Sides() {
  const side = sounding.value?.kind;
  const hit = compared.value?.hit;
  const label = `Track Hit A: switch between the track and ${hit ? hit.name : "the best hit"}`;
  return (
    <button
      type="button"
      class="sides"
      data-test="ab"
      data-side={side ?? "none"}
      aria-label={label}
      title={label}
      disabled={shown.value.lanes.length === 0}
      onClick={switchSides}
    >
      <span data-on={side === "reference"}>Track</span> <span data-on={side === "preview"}>Hit</span>{" "}
      <kbd>A</kbd>
    </button>
  );
}
