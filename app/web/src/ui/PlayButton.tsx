/** Plays or stops the preview at `url`, with a progress ring.
 * The page has one player: starting a preview stops any other sound. */
import { failedPreviews, previewShare, sounding, togglePreview } from "../audio/player";
import { Icon } from "./icons";

interface PlayButtonProps {
  url: string;
  label: string; // the instrument's name
  place?: string; // tells this button from others for the same preview
  test?: string;
  onToggle?: () => void; // replaces the player's own toggle
  tabIndex?: number; // for lists with a roving tab index
}

export function PlayButton(props: PlayButtonProps) {
  const { url, label, place = url, test = "play", onToggle, tabIndex = 0 } = props;
  const plays = sounding.value?.place === place;
  const failed = failedPreviews.value.has(url);
  const name = failed ? `The preview of ${label} cannot be played` : `${plays ? "Stop" : "Play"} ${label}`;
  return (
    <button
      type="button"
      class="play"
      data-test={test}
      aria-label={name}
      title={name}
      aria-pressed={plays}
      data-failed={failed || undefined}
      tabIndex={tabIndex}
      onClick={onToggle ?? (() => togglePreview(url, label, place))}
    >
      {plays && <Ring />}
      <Icon name={plays ? "stop" : "play"} size={14} />
    </button>
  );
}

function Ring() {
  return (
    <svg class="play-ring" viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="16" cy="16" r="14.5" pathLength={1} stroke-dasharray={`${previewShare.value} 1`} />
    </svg>
  );
}
