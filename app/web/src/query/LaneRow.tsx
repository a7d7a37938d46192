/** One instrument in the track: family, presence over time, and its matches in the library. */
import { useId, useState } from "preact/hooks";
import type { Hit, Slot } from "../api/types";
import { Button } from "../ui/Button";
import { narrow } from "../ui/narrow";
import { PlayButton } from "../ui/PlayButton";
import { showOwnHits, toggleLock } from "./actions";
import { DirectionSliders } from "./DirectionSliders";
import { HitRow } from "./HitRow";
import { LaneMix } from "./LaneMix";
import { LaneTime } from "./LaneTime";
import { choiceKey, hitsOf, type Lane, laneFamily, matchWord } from "./lanes";
import { useRovingFocus } from "./lanesFocus";
import { hasPart, saveMidi } from "./parts";
import { currentLane, queryState } from "./state";

const UNFOLDED_HITS = 2; // of a lane on a phone

interface LaneRowProps {
  lane: Lane;
  number: number; // from 1
}

export function LaneRow({ lane, number }: LaneRowProps) {
  const { slot } = lane;
  const family = laneFamily(slot);
  const words = family && (family.sure ? family.name : `${family.name}?`);
  const name = words ? `Instrument ${number}, ${words}` : `Instrument ${number}`;
  const current = currentLane.value === lane.key;
  const toCurrent = () => {
    currentLane.value = lane.key;
  };
  return (
    <li
      class="lane"
      id={`lane-${number}`}
      data-test="lane"
      data-current={current}
      data-locked={lane.locked}
      data-match={matchWord(slot)}
      aria-label={name}
      aria-current={current ? "true" : undefined}
      tabIndex={-1}
      style={{ "--tint": `var(--lane-${lane.colour})` }}
      onFocusCapture={toCurrent}
      onPointerDown={toCurrent}
    >
      <div class="lane-head">
        <span class="lane-number">{number}</span>
        <div class="lane-words">
          <h3 title={family?.told}>{words ?? "unknown"}</h3>
          <p class="lane-presence" title="Probability that this instrument is present">
            <span class="unseen">presence </span>
            {Math.round(100 * slot.presence)}% sure
          </p>
          <MatchLine slot={slot} />
          <LaneMix lane={lane} number={number} />
        </div>
        <div class="lane-tools">
          {hasPart(lane) && (
            <Button
              kind="quiet"
              icon="download"
              label={`Save the notes of instrument ${number} as a MIDI file`}
              data-test="midi"
              onClick={() => void saveMidi(lane)}
            />
          )}
          <Button
            kind="quiet"
            icon={lane.locked ? "lock" : "unlock"}
            label={
              lane.locked
                ? `Unlock lane ${number}`
                : `Lock lane ${number}, so that new answers do not change it`
            }
            data-test="lock"
            pressed={lane.locked}
            onClick={() => toggleLock(lane)}
          />
        </div>
      </div>
      <LaneTime lane={lane} name={name} />
      <Hits lane={lane} />
    </li>
  );
}

/** How likely the library has this instrument; answers of older versions do not say. */
function MatchLine({ slot }: { slot: Slot }) {
  if (!slot.match) return null;
  const { word, probability } = slot.match;
  return (
    <p
      class="lane-match"
      data-test="match"
      data-word={word}
      title={`Probability that this library has this instrument: ${Math.round(100 * probability)}%`}
    >
      {word === "none" ? "no match" : `${word} match`}
    </p>
  );
}

function Hits({ lane }: { lane: Lane }) {
  const id = useId();
  const [unfolded, setUnfolded] = useState(false);
  const all = hitsOf(lane, queryState.value.excluded);
  const folds = narrow.value && all.length > UNFOLDED_HITS;
  const hits = folds && !unfolded ? all.slice(0, UNFOLDED_HITS) : all;
  const { tabStop, onFocusCapture, onKeyDown } = useRovingFocus(hits.length);
  return (
    <div class="lane-hits">
      {lane.like ? (
        <p class="lane-note">
          <Button
            kind="quiet"
            icon="back"
            label="Back to this lane's own matches"
            data-test="less-like"
            onClick={() => showOwnHits(lane)}
          />
          More like{" "}
          <PlayButton url={lane.like.hit.preview_url} label={lane.like.hit.name} place={`${lane.key} like`} />
          <strong>{lane.like.hit.name}</strong>
          <DirectionSliders lane={lane} />
        </p>
      ) : (
        matchWord(lane.slot) === "none" && (
          <p class="lane-note lane-far" data-test="none-of-yours">
            <strong>None of yours.</strong> {hits.length > 0 && "Nearest in this library:"}
          </p>
        )
      )}
      {hits.length > 0 && (
        <ol
          id={id}
          class="hits"
          style={{ "--rows": Math.ceil(hits.length / 2) }}
          onFocusCapture={onFocusCapture}
          onKeyDown={onKeyDown}
        >
          {hits.map((hit, index) => (
            <HitRow
              key={hit.instrument_id}
              lane={lane}
              hit={hit}
              rank={index + 1}
              tabStop={tabStop.row === index ? tabStop.control : null}
            />
          ))}
        </ol>
      )}
      {folds && (
        <button
          type="button"
          class="hits-fold"
          data-test="fold"
          aria-expanded={unfolded}
          aria-controls={id}
          onClick={() => setUnfolded(!unfolded)}
        >
          {unfolded ? "Fewer matches" : foldedWords(lane, all.slice(UNFOLDED_HITS))}
        </button>
      )}
    </div>
  );
}

/** `4 more matches, 1 chosen`. */
function foldedWords(lane: Lane, folded: readonly Hit[]): string {
  const chosen = folded.filter((hit) => queryState.value.chosen.has(choiceKey(lane, hit))).length;
  const words = folded.length === 1 ? "1 more match" : `${folded.length} more matches`;
  return chosen ? `${words}, ${chosen} chosen` : words;
}
