/** A family over the track's time axis, ten frames a second, in the tint of its row. */
import { useMemo } from "preact/hooks";
import type { FamilyRow, Timeline } from "../api/types";
import { opacity, placeOf } from "./heard";
import { visibleSpan } from "./state";

export function FamilyStrip({ found, row }: { found: Timeline; row: FamilyRow }) {
  const mask = useMemo(() => drawMask(row), [row]);
  const { left, width } = placeOf(found, visibleSpan.value);
  return (
    <i
      class="heard-strip"
      data-test="heard-strip"
      aria-hidden="true"
      style={{ left: `${100 * left}%`, width: `${100 * width}%`, maskImage: mask }}
    />
  );
}

/** One pixel for each frame, as opaque as the family is sure to sound. */
function drawMask({ probabilities, threshold }: FamilyRow): string {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, probabilities.length);
  canvas.height = 1;
  const context = canvas.getContext("2d");
  if (!context) return "none";
  const image = context.createImageData(canvas.width, 1);
  probabilities.forEach((probability, frame) => {
    image.data[4 * frame + 3] = Math.round(255 * opacity(probability, threshold));
  });
  context.putImageData(image, 0, 0);
  return `url(${canvas.toDataURL()})`;
}
