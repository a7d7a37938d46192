/** Playback controls beside the waveform: play, position, and the switch between track and match. */
import { position, referencePlays, sounding } from "../audio/player";
import { Icon } from "../ui/icons";
import { compared, switchSides, toggleReference } from "./abCompare";
import { duration, queryState } from "./state";
import { formatClock } from "./timeFormat";

export function Transport() {
  const plays = sounding.value?.kind === "reference";
  const cannot = referencePlays.value === false;
  const name = queryState.value.source?.name ?? "the track";
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
        {/* a timer is read on demand; an <output> would be announced at every change */}
        <div class="clock" role="timer" data-test="clock" aria-label="Position">
          {formatClock(position.value)}
          <small>{duration.value > 0 ? formatClock(duration.value) : "–:––"}</small>
        </div>
      </div>
      <Sides />
    </div>
  );
}

/** Shows which side of the A/B comparison plays; a click switches, like key A. */
function Sides() {
  const side = sounding.value?.kind;
  const hit = compared.value?.hit;
  const label = `Track Match A: switch between the track and ${hit ? hit.name : "the best match"}`;
  return (
    <button
      type="button"
      class="sides"
      data-test="ab"
      data-side={side ?? "none"}
      aria-label={label}
      title={label}
      disabled={queryState.value.lanes.length === 0}
      onClick={switchSides}
    >
      <span data-on={side === "reference"}>Track</span> <span data-on={side === "preview"}>Match</span>{" "}
      <kbd>A</kbd>
    </button>
  );
}
