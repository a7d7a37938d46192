/** A lane's time axis: active spans and presence curve; a click plays the track from there. */
import { useEffect, useRef } from "preact/hooks";
import type { Span } from "../api/types";
import { playFromClick } from "./abCompare";
import type { Lane } from "./lanes";
import { visibleSpan } from "./state";
import { formatSpans } from "./timeFormat";

function place([start, end]: Span, [from, to]: Span) {
  const length = to - from;
  const left = Math.max(0, (start - from) / length);
  const right = Math.min(1, (end - from) / length);
  return right > left ? { left: `${100 * left}%`, width: `${100 * (right - left)}%` } : null;
}

export function LaneTime({ lane, name }: { lane: Lane; name: string }) {
  const view = visibleSpan.value;
  const { slot } = lane;
  return (
    <div class="lane-time" data-test="lane-time">
      {slot.active.map((span) => {
        const style = place(span, view);
        return style && <span key={span[0]} class="lane-span" style={style} />;
      })}
      <Curve lane={lane} />
      <button
        type="button"
        class="lane-play"
        tabIndex={-1}
        aria-label={`${name}, heard ${formatSpans(slot.active) || "nowhere"}. Play the track from there.`}
        onClick={(event) => playFromClick(event, view, slot.active[0]?.[0] ?? view[0])}
      />
      <span class="playhead" />
    </div>
  );
}

function Curve({ lane }: { lane: Lane }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let end: (() => void) | null = null;
    let gone = false;
    import("./drawCurve").then(
      ({ drawCurve }) => {
        if (!gone && box.current) end = drawCurve(box.current, lane.slot, lane.range);
      },
      () => undefined,
    ); // the server is away: everything except the drawing works
    return () => {
      gone = true;
      end?.();
    };
  }, [lane.slot]);
  return <div ref={box} class="lane-curve" aria-hidden="true" />;
}
