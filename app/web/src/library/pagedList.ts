/** A long list that is fetched page by page as the user scrolls; its cursor only moves forward.
 * Placeholders stand for missing items, so the scroll bar has its final length from the start. */
import { signal } from "@preact/signals";
import { isAbort } from "../api/problem";
import type { Page } from "../api/types";

export type FetchPage<Item> = (next: string | null, signal: AbortSignal) => Promise<Page<Item>>;
export type Row<Item> = Item | { pending: number };

export class PagedList<Item extends { id: string }> {
  readonly items = signal<readonly Item[]>([]);
  readonly complete = signal(false);
  readonly problem = signal<unknown>(null);
  private next: string | null = null;
  private wanted = 0;
  private busy = false;
  private readonly control = new AbortController();

  constructor(private readonly fetchPage: FetchPage<Item>) {}

  /** Fetch pages until the item at `index` is loaded. */
  ensure(index: number): void {
    this.wanted = Math.max(this.wanted, index + 1);
    if (!this.busy && this.problem.value === null) void this.fetchOn();
  }

  /** Continue after a problem. */
  retry(): void {
    this.problem.value = null;
    if (!this.busy) void this.fetchOn();
  }

  stop(): void {
    this.control.abort();
  }

  private async fetchOn(): Promise<void> {
    this.busy = true;
    try {
      while (!this.complete.value && this.items.value.length < this.wanted) {
        const page = await this.fetchPage(this.next, this.control.signal);
        this.items.value = [...this.items.value, ...page.items];
        this.next = page.next;
        this.complete.value = page.next === null;
      }
    } catch (error) {
      if (!isAbort(error)) this.problem.value = error;
    } finally {
      this.busy = false;
    }
  }

  /** Replace items by those with the same ids. */
  replace(...items: Item[]): void {
    const changed = new Map(items.map((item) => [item.id, item]));
    this.items.value = this.items.value.map((other) => changed.get(other.id) ?? other);
  }

  /** Remove an item; returns its former index, or −1. */
  remove(id: string): number {
    const index = this.items.value.findIndex((item) => item.id === id);
    if (index >= 0) this.items.value = this.items.value.toSpliced(index, 1);
    return index;
  }

  /** Insert an item, unless it is already in the list. */
  insert(item: Item, index: number): void {
    if (this.items.value.some((other) => other.id === item.id)) return;
    this.items.value = this.items.value.toSpliced(Math.min(index, this.items.value.length), 0, item);
  }
}

/** The rows to show: loaded items, then placeholders up to `expected` (null: unknown; adds one page). */
export function rowsOf<Item>(
  items: readonly Item[],
  complete: boolean,
  expected: number | null,
  pageful = 100,
): Row<Item>[] {
  if (complete) return [...items];
  const length = Math.max(items.length + 1, expected ?? items.length + pageful);
  return [
    ...items,
    ...Array.from({ length: length - items.length }, (_, i) => ({ pending: items.length + i })),
  ];
}
