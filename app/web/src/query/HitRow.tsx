/** One match in a lane: play, similarity, more like this, hide, choose for export. */

import { sourceUrl } from "../api/client";
import { download } from "../api/download";
import type { Hit } from "../api/types";
import { openKeyboard } from "../keyboard/played";
import { showProblem, showToast } from "../state/toasts";
import { Button } from "../ui/Button";
import { dragOut } from "../ui/dragOut";
import { FamilyChip } from "../ui/Family";
import { Menu, type MenuItem } from "../ui/Menu";
import { PlayButton } from "../ui/PlayButton";
import { compared, playsBestSpan, toggleBestSpan, toggleHitPreview } from "./abCompare";
import { hideHit, showMoreLike, toggleChoice } from "./actions";
import { choiceKey, type Lane } from "./lanes";
import type { HitControl } from "./lanesFocus";
import { explained, queryState } from "./state";
import { formatClock } from "./timeFormat";

interface HitRowProps {
  lane: Lane;
  hit: Hit;
  rank: number; // from 1
  tabStop: HitControl | null; // the only control of the lane's matches in the tab order; null: in another row
}

export function HitRow({ lane, hit, rank, tabStop }: HitRowProps) {
  const place = choiceKey(lane, hit);
  const isExplained = hit.best_span && explained.value === place;
  const isGone = tabStop === "not-this" ? lane.locked : tabStop === "why-track" && !isExplained;
  const stop = isGone ? "play-hit" : tabStop;
  const tabIndex = (control: HitControl) => (stop === control ? 0 : -1);
  const chosen = queryState.value.chosen.has(place);
  const suggested = chosen && !queryState.value.decided.has(lane.key);
  const why: MenuItem = {
    label: isExplained ? "Hide the reason" : "Why this?",
    icon: "help",
    test: "why",
    onSelect: () => {
      explained.value = isExplained ? null : place;
    },
  };
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
        place={place}
        test="play-hit"
        tabIndex={tabIndex("play-hit")}
        onToggle={() => toggleHitPreview(lane, hit)}
      />
      <span class="hit-rank" aria-hidden="true">
        {rank}
      </span>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a mouse shortcut; the menu downloads the same */}
      <span
        class="hit-name"
        data-test="hit-name"
        title={`${hit.name}\nDrag it to a folder or a program`}
        draggable
        onDragStart={(event) => dragOut(event, { ...hit, id: hit.instrument_id })}
      >
        {hit.name}
      </span>
      <FamilyChip family={hit.family} recognised={hit.recognised_family} />
      <Similarity value={hit.similarity} />
      <span class="hit-tools">
        <Button
          kind="quiet"
          icon="like"
          label={`More like ${hit.name}`}
          data-test="more-like"
          tabIndex={tabIndex("more-like")}
          onClick={() => void showMoreLike(lane, hit)}
        />
        <Button
          kind="quiet"
          icon="not"
          label={`Hide ${hit.name} for this track`}
          data-test="not-this"
          tabIndex={tabIndex("not-this")}
          disabled={lane.locked}
          onClick={() => hideHit(lane, hit)}
        />
        <Menu
          kind="quiet"
          icon="more"
          label={`More for ${hit.name}`}
          test="hit-more"
          tabIndex={tabIndex("hit-more")}
          items={[
            ...(hit.best_span ? [why] : []),
            {
              label: "Play it on a keyboard",
              icon: "keys",
              test: "open-keyboard",
              onSelect: () => openKeyboard({ id: hit.instrument_id, name: hit.name }),
            },
            {
              label: "Download its source",
              hint: "sample or SoundFont",
              icon: "download",
              test: "take-source",
              onSelect: () => void takeSource(hit),
            },
          ]}
        />
        <label class="hit-choice" data-suggested={suggested} title={choiceWords(chosen, suggested)}>
          <input
            type="checkbox"
            data-test="choose"
            tabIndex={tabIndex("choose")}
            aria-label={`Choose ${hit.name}`}
            checked={chosen}
            onChange={() => toggleChoice(lane, hit)}
          />
        </label>
      </span>
      {isExplained && <Reason lane={lane} hit={hit} tabIndex={tabIndex("why-track")} />}
    </li>
  );
}

async function takeSource(hit: Hit): Promise<void> {
  try {
    showToast(`${await download(sourceUrl(hit.instrument_id), hit.name)} saved.`, "good");
  } catch (error) {
    showProblem(error);
  }
}

function choiceWords(chosen: boolean, suggested: boolean): string {
  if (suggested) return "Suggested for export: choose in this lane to decide yourself";
  return chosen ? "Chosen for export" : "Choose for export";
}

/** Where the lane is most similar to the hit, with a button that plays exactly this part, and how far the next hit is. */
function Reason({ lane, hit, tabIndex }: { lane: Lane; hit: Hit; tabIndex: number }) {
  const [start, end] = hit.best_span ?? [0, 0];
  const plays = playsBestSpan(lane, hit);
  const span = `${formatClock(start)} to ${formatClock(end)}`;
  return (
    <div class="hit-why" data-test="reason">
      <Button
        icon={plays ? "stop" : "play"}
        label={`${plays ? "Stop" : "Play"} the track from ${span}; A switches to ${hit.name}`}
        data-test="why-track"
        pressed={plays}
        tabIndex={tabIndex}
        onClick={() => toggleBestSpan(lane, hit)}
      >
        {span}
      </Button>
      <span>
        is most like it
        {typeof hit.lead === "number" && `; it is ${hit.lead.toFixed(2)} ahead of the next match`}
      </span>
    </div>
  );
}

/** The similarity as a bar and a number; the bar stops at zero. */
function Similarity({ value }: { value: number }) {
  const percent = Math.round(100 * Math.max(0, Math.min(1, value)));
  return (
    <span class="similarity" title="Cosine similarity, at most 1">
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
