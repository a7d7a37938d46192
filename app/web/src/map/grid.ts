/** A spatial index for hit tests: points are stored by grid cell.
 * A circle overlaps few cells, so a hit test among 10,000 points costs as much as one among 100. */
import type { Place } from "./geometry";

const POINTS_A_CELL = 2; // on average

export class Grid<Point extends Place> {
  private readonly cells = new Map<number, Point[]>();
  private readonly cell: number; // width of a cell
  private readonly columns: number;
  private readonly rows: number;
  private readonly left: number;
  private readonly low: number;

  constructor(points: readonly Point[]) {
    let [left, low, right, high] = [0, 0, 0, 0];
    for (const { x, y } of points) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      low = Math.min(low, y);
      high = Math.max(high, y);
    }
    const area = Math.max(1e-6, (right - left) * (high - low));
    this.cell = Math.sqrt((area * POINTS_A_CELL) / Math.max(1, points.length));
    this.left = left;
    this.low = low;
    this.columns = Math.floor((right - left) / this.cell) + 1;
    this.rows = Math.floor((high - low) / this.cell) + 1;
    for (const point of points) {
      const key = this.keyOf(this.columnOf(point.x), this.rowOf(point.y));
      const there = this.cells.get(key);
      if (there) there.push(point);
      else this.cells.set(key, [point]);
    }
  }

  /** The nearest point within `radius` of `at` that `accepts` allows, or null. */
  nearest(at: Place, radius: number, accepts: (point: Point) => boolean = () => true): Point | null {
    let best: Point | null = null;
    let least = radius * radius;
    for (const point of this.within(at, radius)) {
      const distance = (point.x - at.x) ** 2 + (point.y - at.y) ** 2;
      if (distance > least || !accepts(point)) continue;
      best = point;
      least = distance;
    }
    return best;
  }

  /** All points in the cells that a square around `at` overlaps. */
  private *within({ x, y }: Place, radius: number): Generator<Point> {
    const [firstColumn, lastColumn] = [this.columnOf(x - radius), this.columnOf(x + radius)];
    const [firstRow, lastRow] = [this.rowOf(y - radius), this.rowOf(y + radius)];
    for (let row = firstRow; row <= lastRow; row++)
      for (let column = firstColumn; column <= lastColumn; column++)
        yield* this.cells.get(this.keyOf(column, row)) ?? [];
  }

  private columnOf(x: number): number {
    return Math.min(this.columns - 1, Math.max(0, Math.floor((x - this.left) / this.cell)));
  }

  private rowOf(y: number): number {
    return Math.min(this.rows - 1, Math.max(0, Math.floor((y - this.low) / this.cell)));
  }

  private keyOf(column: number, row: number): number {
    return row * this.columns + column;
  }
}
