/** Draws the track's waveform with a selection to drag (wavesurfer.js), following what the view shows.
 * It makes no sound and decodes nothing: peaks come from `drawing`, the play-head from the player. Loaded when needed. */
import { effect } from "@preact/signals";
import WaveSurfer from "wavesurfer.js";
import RegionsPlugin, { type Region } from "wavesurfer.js/plugins/regions";
import type { Span } from "../api/types";
import { peaks } from "../audio/decode";
import { position, seek } from "../audio/player";
import { theme } from "../state/preferences";
import { select } from "./deeds";
import { drawing, duration, shown, view } from "./state";

const DRAWN_PEAKS = 2000;
const SHORTEST_SECONDS = 0.3; // a shorter drag was meant as a click

/** The nonce that the response gave; wavesurfer puts a style element into a shadow root with it. */
function nonce(): string {
  return document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";
}

/** Draw into `box` until the function returned is called. */
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

/** CSS decides: the box's text colour is the wave's, its border colour that of what has been played. */
function colours(box: HTMLElement): { waveColor: string; progressColor: string } {
  const style = getComputedStyle(box);
  return { waveColor: style.color, progressColor: style.borderTopColor };
}

/** Peaks, colours and progress follow the signals. */
function follow(wave: WaveSurfer, box: HTMLElement): () => void {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const recolour = () => wave.setOptions(colours(box));
  scheme.addEventListener("change", recolour);
  const endings = [
    effect(() => {
      const [start, end] = view.value;
      const track = drawing.value;
      const part = track
        ? track.samples.subarray(start * track.sampleRate, end * track.sampleRate)
        : new Float32Array(2);
      wave.load("", [peaks(part, DRAWN_PEAKS)], end - start).catch(() => undefined); // overtaken by a newer one
    }),
    effect(() => {
      if (theme.value) requestAnimationFrame(recolour);
    }),
    effect(() => {
      const [start, end] = view.value;
      wave.setTime(Math.max(0, Math.min(end - start, position.value - start)));
    }),
    () => scheme.removeEventListener("change", recolour),
  ];
  return () => {
    for (const end of endings) end();
  };
}

type Regions = ReturnType<typeof RegionsPlugin.create>;

/** The selection as a region, both ways; a click moves the play-head. */
function selecting(wave: WaveSurfer, regions: Regions, box: HTMLElement): () => void {
  const look = { drag: true, resize: true, color: "transparent" };
  let ours = false; // whether a region is being made by us, not by the user
  const redraw = (selection: Span | null, [start]: Span) => {
    ours = true;
    regions.clearRegions();
    if (selection) regions.addRegion({ ...look, start: selection[0] - start, end: selection[1] - start });
    ours = false;
  };
  const takeOver = (region: Region) => {
    if (ours) return;
    const [start, end] = view.value;
    const span: Span = [Math.max(0, start + region.start), Math.min(end, start + region.end)];
    if (span[1] - span[0] >= SHORTEST_SECONDS) return select(span);
    redraw(shown.value.selection, view.value);
    seek(span[0]);
  };
  const seekTo = (share: number) => seek(view.value[0] + share * (view.value[1] - view.value[0]));
  wave.on("click", seekTo);
  regions.on("region-clicked", (_region, event) => {
    event.stopPropagation();
    const frame = box.getBoundingClientRect();
    seekTo((event.clientX - frame.left) / frame.width);
  });
  regions.on("region-created", takeOver);
  regions.on("region-updated", takeOver);
  wave.on("ready", () => redraw(shown.value.selection, view.value));
  const stopDragging = regions.enableDragSelection(look);
  const stopFollowing = effect(() => {
    if (duration.value > 0) redraw(shown.value.selection, view.value);
  });
  return () => {
    stopDragging();
    stopFollowing();
  };
}
