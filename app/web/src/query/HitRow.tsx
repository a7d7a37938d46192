/** One hit of a lane: hear it, see how near it comes, ask for more like it, refuse it, or choose it. */
import type { Hit } from "../api/types";
import { Button } from "../ui/Button";
import { FamilyChip } from "../ui/Family";
import { PlayButton } from "../ui/PlayButton";
import { compared, toggleHit } from "./comparing";
import { moreLike, notThis, toggleChoice } from "./deeds";
import { choiceOf, type Lane } from "./lanes";
import { shown } from "./state";

interface HitRowProps {
  lane: Lane;
  hit: Hit;
  rank: number; // from 1
}

export function HitRow({ lane, hit, rank }: HitRowProps) {
  const chosen = shown.value.chosen.has(choiceOf(lane, hit));
  const isCompared =
    compared.value?.hit.instrument_id === hit.instrument_id && compared.value.lane.key === lane.key;
  return (
    <li
      class="hit"
      data-test="hit"
      data-id={hit.instrument_id}
      data-chosen={chosen}
      data-compared={isCompared}
    >
      <PlayButton
        url={hit.preview_url}
        label={hit.name}
        test="play-hit"
        onToggle={() => toggleHit(lane, hit)}
      />
      <span class="hit-rank" aria-hidden="true">
        {rank}
      </span>
      <span class="hit-name" title={hit.name}>
        {hit.name}
      </span>
      <FamilyChip family={hit.family} />
      <Similarity value={hit.similarity} />
      <span class="hit-tools">
        <Button
          kind="quiet"
          icon="like"
          label={`More like ${hit.name}`}
          data-test="more-like"
          onClick={() => void moreLike(lane, hit)}
        />
        <Button
          kind="quiet"
          icon="not"
          label={`Not ${hit.name}`}
          data-test="not-this"
          disabled={lane.locked}
          onClick={() => notThis(lane, hit)}
        />
        <label class="hit-choice" title={chosen ? "In the chosen set" : "Choose for the export"}>
          <input
            type="checkbox"
            data-test="choose"
            aria-label={`Choose ${hit.name}`}
            checked={chosen}
            onChange={() => toggleChoice(lane, hit)}
          />
        </label>
      </span>
    </li>
  );
}

/** The cosine as a bar and a number; a bar has no place for less than nothing. */
function Similarity({ value }: { value: number }) {
  const percent = Math.round(100 * Math.max(0, Math.min(1, value)));
  return (
    <span class="similarity" title="Similarity (cosine, 1 at best)">
      <span class="similarity-bar" aria-hidden="true">
        <i style={{ width: `${percent}%` }} />
      </span>
      <span class="similarity-number">
        <span class="unseen">similarity </span>
        {value.toFixed(2)}
      </span>
    </span>
  );
}
