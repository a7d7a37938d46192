/** Draws the track's waveform with a draggable selection (wavesurfer.js).
 * Peaks come from `decodedTrack`, the playhead from the player. Loaded lazily. */
import { effect } from "@preact/signals";
import WaveSurfer from "wavesurfer.js";
import RegionsPlugin, { type Region } from "wavesurfer.js/plugins/regions";
import type { Span } from "../api/types";
import { peaks } from "../audio/decode";
import { position, seek } from "../audio/player";
import { theme } from "../state/preferences";
import { selectSpan } from "./actions";
import { decodedTrack, duration, queryState, visibleSpan } from "./state";

const DRAWN_PEAKS = 2000;
const SHORTEST_SECONDS = 0.3; // a shorter drag is a click
const SELECTION = "selection"; // id of the region that shows the selection; one that is being drawn has another

/** The response's CSP nonce; wavesurfer needs it for the style element in its shadow root. */
function nonce(): string {
  return document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";
}

/** Draw into `box`. Returns a function that removes the waveform. */
export function drawWave(box: HTMLElement): () => void {
  const wave = WaveSurfer.create({
    container: box,
    height: "auto",
    cspNonce: nonce(),
    cursorWidth: 0,
    normalize: true,
    barWidth: 2,
    barGap: 1,
    barRadius: 1,
    hideScrollbar: true,
    ...colours(box),
  });
  const regions = wave.registerPlugin(RegionsPlugin.create());
  const endings = [follow(wave, box), selecting(wave, regions, box), () => wave.destroy()];
  return () => {
    for (const end of endings) end();
  };
}

/** Colours from CSS: the box's text colour for the wave, its border colour for the played part. */
function colours(box: HTMLElement): { waveColor: string; progressColor: string } {
  const style = getComputedStyle(box);
  return { waveColor: style.color, progressColor: style.borderTopColor };
}

/** Keep peaks, colours and progress in step with the signals. */
function follow(wave: WaveSurfer, box: HTMLElement): () => void {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const recolour = () => wave.setOptions(colours(box));
  scheme.addEventListener("change", recolour);
  const endings = [
    effect(() => {
      const [start, end] = visibleSpan.value;
      const track = decodedTrack.value;
      const part = track
        ? track.samples.subarray(start * track.sampleRate, end * track.sampleRate)
        : new Float32Array(2);
      wave.load("", [peaks(part, DRAWN_PEAKS)], end - start).catch(() => undefined); // replaced by a newer load
    }),
    effect(() => {
      if (theme.value) requestAnimationFrame(recolour);
    }),
    effect(() => {
      const [start, end] = visibleSpan.value;
      wave.setTime(Math.max(0, Math.min(end - start, position.value - start)));
    }),
    () => scheme.removeEventListener("change", recolour),
  ];
  return () => {
    for (const end of endings) end();
  };
}

type Regions = ReturnType<typeof RegionsPlugin.create>;

/** Synchronize the selection with a region in both directions; a click moves the playhead. */
function selecting(wave: WaveSurfer, regions: Regions, box: HTMLElement): () => void {
  const look = { drag: true, resize: true, color: "transparent" };
  const redraw = (selection: Span | null, [start]: Span) => {
    regions.clearRegions();
    if (!selection) return;
    regions.addRegion({ ...look, id: SELECTION, start: selection[0] - start, end: selection[1] - start });
  };
  const takeOver = (region: Region) => {
    const [start, end] = visibleSpan.value;
    const span: Span = [Math.max(0, start + region.start), Math.min(end, start + region.end)];
    if (span[1] - span[0] >= SHORTEST_SECONDS) return selectSpan(span);
    redraw(queryState.value.selection, visibleSpan.value);
    seek(span[0]);
  };
  const seekTo = (share: number) =>
    seek(visibleSpan.value[0] + share * (visibleSpan.value[1] - visibleSpan.value[0]));
  wave.on("click", seekTo);
  regions.on("region-clicked", (_region, event) => {
    event.stopPropagation();
    const frame = box.getBoundingClientRect();
    seekTo((event.clientX - frame.left) / frame.width);
  });
  regions.on("region-created", (region) => {
    if (region.id !== SELECTION) takeOver(region); // the selection's own may be created late, when the zoomed peaks are there
  });
  regions.on("region-updated", takeOver);
  wave.on("ready", () => redraw(queryState.value.selection, visibleSpan.value));
  const stopDragging = regions.enableDragSelection(look);
  const stopFollowing = effect(() => {
    if (duration.value > 0) redraw(queryState.value.selection, visibleSpan.value);
  });
  return () => {
    stopDragging();
    stopFollowing();
  };
}
