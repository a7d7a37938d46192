/** The geometry of the map: between the plane of the points (y up) and the canvas (y down, CSS pixels), panned and zoomed. */

export interface Place {
  x: number;
  y: number;
}

export interface Size {
  width: number; // CSS pixels
  height: number;
}

/** What is looked at: the plane's point in the middle of the canvas, and pixels per unit of the plane. */
export interface Look extends Place {
  scale: number;
}

const MARGIN = 36; // pixels around all points
const CLOSEST = 40; // times the scale that shows everything

/** The look that shows all `points`. */
export function everything(points: readonly Place[], size: Size): Look {
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const [left, right] = [least(xs), -least(xs.map((x) => -x))];
  const [low, high] = [least(ys), -least(ys.map((y) => -y))];
  const width = Math.max(right - left, 0.2);
  const height = Math.max(high - low, 0.2);
  const scale = Math.min(
    Math.max(40, size.width - 2 * MARGIN) / width,
    Math.max(40, size.height - 2 * MARGIN) / height,
  );
  return { x: (left + right) / 2, y: (low + high) / 2, scale };
}

function least(values: readonly number[]): number {
  return values.length ? values.reduce((one, other) => Math.min(one, other)) : 0;
}

export function toCanvas({ x, y }: Place, look: Look, size: Size): Place {
  return { x: size.width / 2 + (x - look.x) * look.scale, y: size.height / 2 - (y - look.y) * look.scale };
}

export function toPlane({ x, y }: Place, look: Look, size: Size): Place {
  return { x: look.x + (x - size.width / 2) / look.scale, y: look.y - (y - size.height / 2) / look.scale };
}

/** Zoom by `factor` so that what lies under the canvas's point `at` stays there. */
export function zoomed(look: Look, factor: number, at: Place, size: Size, whole: Look): Look {
  const scale = Math.min(whole.scale * CLOSEST, Math.max(whole.scale * 0.8, look.scale * factor));
  const fixed = toPlane(at, look, size);
  return {
    scale,
    x: fixed.x - (at.x - size.width / 2) / scale,
    y: fixed.y + (at.y - size.height / 2) / scale,
  };
}

/** Move by pixels, but never so far that the points are out of sight. */
export function panned(look: Look, dx: number, dy: number, size: Size, whole: Look): Look {
  const reach = (pixels: number) => pixels / 2 / whole.scale;
  const held = (value: number, middle: number, pixels: number) =>
    Math.min(middle + reach(pixels), Math.max(middle - reach(pixels), value));
  return {
    scale: look.scale,
    x: held(look.x - dx / look.scale, whole.x, size.width),
    y: held(look.y + dy / look.scale, whole.y, size.height),
  };
}

/** Between two looks, for a short glide: `share` 0 to 1. The scale goes by ratio, so that zooming looks even. */
export function between(from: Look, to: Look, share: number): Look {
  const mix = (one: number, other: number) => one + (other - one) * share;
  return { x: mix(from.x, to.x), y: mix(from.y, to.y), scale: from.scale * (to.scale / from.scale) ** share };
}

/** The point that an arrow key leads to: near, and in that direction rather than aside. Null: there is none. */
export function neighbour<Point extends Place>(
  points: readonly Point[],
  from: Place,
  direction: Place, // a unit vector, y up
): Point | null {
  let best: Point | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const point of points) {
    const [dx, dy] = [point.x - from.x, point.y - from.y];
    const along = dx * direction.x + dy * direction.y;
    const aside = Math.abs(dx * direction.y - dy * direction.x);
    if (along <= 1e-9 || aside > 1.5 * along) continue;
    const distance = along + 2 * aside;
    if (distance < least) [best, least] = [point, distance];
  }
  return best;
}
