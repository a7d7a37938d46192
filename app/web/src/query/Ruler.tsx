/** The time axis under the waveform, with ticks at round times. */
import { useEffect, useRef, useState } from "preact/hooks";
import { visibleSpan } from "./state";
import { formatClock, tickTimes } from "./timeFormat";

const PIXELS_PER_TICK = 90;

export function Ruler() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width));
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const [start, end] = visibleSpan.value;
  const times = end - start > 0.01 ? tickTimes([start, end], width / PIXELS_PER_TICK) : [];
  const digits = times.length > 1 && ((times[1] ?? 0) - (times[0] ?? 0)) % 1 > 1e-6 ? 1 : 0;
  return (
    <div ref={box} class="ruler" aria-hidden="true">
      {times.map((time) => (
        <span key={time} style={{ left: `${(100 * (time - start)) / (end - start)}%` }}>
          {formatClock(time, digits)}
        </span>
      ))}
    </div>
  );
}
