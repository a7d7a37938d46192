/** Draws presence over time (uPlot) on the waveform's time axis. Loaded lazily. */
import { effect } from "@preact/signals";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Slot, Span } from "../api/types";
import { theme } from "../state/preferences";
import { visibleSpan } from "./state";

/** Seconds and presence values; the first and last are extended to the ends of the queried range. */
export function pointsOf(slot: Slot, range: Span): [number[], number[]] {
  const first = slot.curve[0];
  const last = slot.curve.at(-1);
  if (!first || !last) return [[], []];
  const [from, to] = range;
  const all: Span[] = [[Math.min(from, first[0]), first[1]], ...slot.curve, [Math.max(to, last[0]), last[1]]];
  return [all.map(([second]) => second), all.map(([, presence]) => presence)];
}

/** Draw into `box` in its text colour. Returns a function that removes the plot. */
export function drawCurve(box: HTMLElement, slot: Slot, range: Span): () => void {
  const colour = () => getComputedStyle(box).color;
  const shade = () => getComputedStyle(box).borderTopColor;
  const plot = new uPlot(
    {
      ...sizeOf(box),
      padding: [3, 0, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      axes: [{ show: false }, { show: false }],
      scales: { x: { time: false, range: () => visibleSpan.peek() }, y: { range: [0, 1] } },
      series: [
        {},
        {
          stroke: colour,
          fill: shade,
          width: 1.5,
          points: { show: false },
          ...(uPlot.paths.spline ? { paths: uPlot.paths.spline() } : {}),
        },
      ],
    },
    pointsOf(slot, range),
    box,
  );
  const observer = new ResizeObserver(() => plot.setSize(sizeOf(box)));
  observer.observe(box);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => requestAnimationFrame(() => plot.redraw(true));
  scheme.addEventListener("change", redraw);
  const endings = [
    effect(() => plot.setScale("x", { min: visibleSpan.value[0], max: visibleSpan.value[1] })),
    effect(() => {
      if (theme.value) redraw();
    }),
  ];
  return () => {
    for (const end of endings) end();
    observer.disconnect();
    scheme.removeEventListener("change", redraw);
    plot.destroy();
  };
}

function sizeOf(box: HTMLElement): { width: number; height: number } {
  return { width: Math.max(1, box.clientWidth), height: Math.max(1, box.clientHeight) };
}
