/** One instrument in the track: family, presence over time, and its matches in the library. */
import { Button } from "../ui/Button";
import { familyName } from "../ui/Family";
import { PlayButton } from "../ui/PlayButton";
import { showOwnHits, toggleLock } from "./actions";
import { HitRow } from "./HitRow";
import { LaneTime } from "./LaneTime";
import { hitsOf, type Lane } from "./lanes";
import { currentLane, queryState } from "./state";

interface LaneRowProps {
  lane: Lane;
  number: number; // from 1
}

export function LaneRow({ lane, number }: LaneRowProps) {
  const { slot } = lane;
  const family = slot.family && slot.close ? familyName(slot.family) : null; // matches that are not close do not tell the family
  const name = family ? `Instrument ${number}, ${family}` : `Instrument ${number}`;
  const current = currentLane.value === lane.key;
  return (
    <li
      class="lane"
      id={`lane-${number}`}
      data-test="lane"
      data-current={current}
      data-locked={lane.locked}
      data-close={slot.close}
      aria-label={name}
      aria-current={current ? "true" : undefined}
      tabIndex={-1}
      style={{ "--tint": `var(--lane-${lane.colour})` }}
      onPointerDown={() => {
        currentLane.value = lane.key;
      }}
    >
      <div class="lane-head">
        <span class="lane-number">{number}</span>
        <div class="lane-words">
          <h3>{family ?? "unknown"}</h3>
          <p class="lane-presence" title="Probability that this instrument is present">
            <span class="unseen">presence </span>
            {Math.round(100 * slot.presence)}% sure
          </p>
        </div>
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
      <LaneTime lane={lane} name={name} />
      <Hits lane={lane} />
    </li>
  );
}

function Hits({ lane }: { lane: Lane }) {
  const hits = hitsOf(lane, queryState.value.excluded);
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
          More like <PlayButton url={lane.like.hit.preview_url} label={lane.like.hit.name} />
          <strong>{lane.like.hit.name}</strong>
        </p>
      ) : (
        !lane.slot.close && (
          <p class="lane-note lane-far" data-test="not-close">
            <strong>Nothing in this library is close.</strong> {hits.length > 0 && "Nearest matches:"}
          </p>
        )
      )}
      {hits.length > 0 && (
        <ol class="hits" style={{ "--rows": Math.ceil(hits.length / 2) }}>
          {hits.map((hit, index) => (
            <HitRow key={hit.instrument_id} lane={lane} hit={hit} rank={index + 1} />
          ))}
        </ol>
      )}
    </div>
  );
}
