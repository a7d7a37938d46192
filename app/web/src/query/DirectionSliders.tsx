/** Sliders beside "more like this": darker or brighter, a softer or harder attack, shorter or longer. */
import type { Directions } from "../api/types";
import { moveLike } from "./actions";
import { directionWords, type Lane } from "./lanes";

const HERE: Directions = { brightness: 0, attack: 0, length: 0 };
const AXES = [
  { name: "brightness", from: "darker", to: "brighter" },
  { name: "attack", from: "softer", to: "harder attack" },
  { name: "length", from: "shorter", to: "longer" },
] as const;

export function DirectionSliders({ lane }: { lane: Lane }) {
  const now = lane.like?.to ?? HERE;
  return (
    <span class="directions" data-test="directions">
      {AXES.map(({ name, from, to }) => (
        <label key={name}>
          {from}
          <input
            type="range"
            min={-1}
            max={1}
            step={0.25}
            data-test={name}
            aria-label={`From ${from} to ${to}`}
            aria-valuetext={directionWords(now[name], from, to)}
            title={`From ${from} to ${to}, as measured of the previews`}
            value={now[name]}
            onChange={(event) => void moveLike(lane, { ...now, [name]: event.currentTarget.valueAsNumber })}
          />
          {to}
        </label>
      ))}
    </span>
  );
}
