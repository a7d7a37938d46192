/** The selected instruments of a list, as in file managers: Ctrl adds or removes one row, Shift selects a range. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Instrument } from "../api/types";

export class Selection {
  readonly ids = signal<ReadonlySet<string>>(new Set());
  /** Whether all rows are to be selected once they are loaded. */
  readonly wantsAll = signal(false);
  /** The selected instruments that the list still has, in its order. */
  readonly items: ReadonlySignal<readonly Instrument[]>;
  private anchor = 0; // the row that a range begins at

  /** `rows` are the loaded rows, in their order. */
  constructor(private readonly rows: ReadonlySignal<readonly Instrument[]>) {
    this.items = computed(() =>
      this.ids.value.size ? rows.value.filter(({ id }) => this.ids.value.has(id)) : [],
    );
  }

  /** Add or remove the row at `index`; ranges begin there. */
  toggle(index: number): void {
    this.begin(index);
    const id = this.rows.value[index]?.id;
    if (!id) return;
    const ids = new Set(this.ids.value);
    if (!ids.delete(id)) ids.add(id);
    this.ids.value = ids;
  }

  /** Select the rows from where ranges begin to `index`, and no others. */
  extend(index: number): void {
    const [first, last] = [Math.min(this.anchor, index), Math.max(this.anchor, index)];
    this.select(this.rows.value.slice(first, last + 1));
  }

  /** Begin ranges at `index`. */
  begin(index: number): void {
    this.anchor = index;
  }

  all(): void {
    this.wantsAll.value = false;
    this.select(this.rows.value);
  }

  clear(): void {
    this.wantsAll.value = false;
    this.select([]);
  }

  private select(items: readonly Instrument[]): void {
    this.ids.value = new Set(items.map(({ id }) => id));
  }
}
