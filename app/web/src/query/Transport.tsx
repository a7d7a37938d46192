/** Playback controls beside the waveform: play, position, and the switch between track and match. */
import { position, referencePlays, sounding } from "../audio/player";
import { Button } from "../ui/Button";
import { Icon } from "../ui/icons";
import { compared, switchSides, toggleReference } from "./abCompare";
import { partPlace, playedMatch, rendering, togglePart } from "./parts";
import { duration, isolation, queryState } from "./state";
import { formatClock } from "./timeFormat";

export function Transport() {
  const plays = sounding.value?.kind === "reference";
  const cannot = referencePlays.value === false && !isolation.value;
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
      <PlayPart />
    </div>
  );
}

/** Plays the part of the compared match's lane by the match; not there where the notes are not sure enough. */
function PlayPart() {
  const match = playedMatch();
  if (!match) return null;
  const place = partPlace(match);
  const plays = sounding.value?.place === place;
  const waits = rendering.value === place;
  const number = queryState.value.lanes.findIndex((lane) => lane.key === match.lane.key) + 1;
  const text = waits ? "Playing it…" : "Play this part with it";
  return (
    <Button
      class="play-part"
      icon={plays ? "stop" : "play"}
      label={`${text}: instrument ${number}, ${match.hit.name}`}
      data-test="play-part"
      pressed={plays}
      disabled={waits}
      onClick={() => void togglePart(match)}
    >
      {text}
    </Button>
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
