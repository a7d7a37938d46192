/** A virtual list with rows of equal height: renders only the visible rows and a few around them.
 * Row positions come from the scroll offset, so 10,000 rows scroll like 10. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

const OVERSCAN = 8; // rows rendered above and below the visible ones

interface VirtualListProps<Item> {
  items: readonly Item[];
  rowHeight: number; // pixels
  label: string;
  keyOf: (item: Item) => string;
  row: (item: Item, index: number) => ComponentChildren;
  test?: string;
  current?: number; // a row to keep visible
}

/** The rows to render: first (inclusive) and last (exclusive). */
export function visibleRows(top: number, height: number, rowHeight: number, count: number): [number, number] {
  const first = Math.max(0, Math.floor(top / rowHeight) - OVERSCAN);
  return [Math.min(first, count), Math.min(count, Math.ceil((top + height) / rowHeight) + OVERSCAN)];
}

export function VirtualList<Item>(props: VirtualListProps<Item>): JSX.Element {
  const { items, rowHeight, label, keyOf, row, test, current } = props;
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: 800 });
  const measure = () => {
    const element = box.current;
    if (!element) return;
    const top = rowHeight * Math.floor(element.scrollTop / rowHeight); // skips rendering while the visible rows stay the same
    const height = element.clientHeight + rowHeight;
    setSeen((before) => (before.top === top && before.height === height ? before : { top, height }));
  };
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (current !== undefined) keepInSight(box.current, current, rowHeight);
  }, [current, rowHeight]);
  const [first, last] = visibleRows(seen.top, seen.height, rowHeight, items.length);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard
    <section ref={box} class="virtual" data-test={test} aria-label={label} tabIndex={0} onScroll={measure}>
      {/* biome-ignore lint/a11y/useSemanticElements: rows are positioned absolutely, and most are not rendered */}
      <div class="virtual-all" role="list" style={{ height: `${items.length * rowHeight}px` }}>
        {items.slice(first, last).map((item, offset) => (
          // biome-ignore lint/a11y/useSemanticElements: see above
          <div
            key={keyOf(item)}
            class="virtual-row"
            role="listitem"
            aria-setsize={items.length}
            aria-posinset={first + offset + 1}
            style={{ height: `${rowHeight}px`, transform: `translateY(${(first + offset) * rowHeight}px)` }}
          >
            {row(item, first + offset)}
          </div>
        ))}
      </div>
    </section>
  );
}

function keepInSight(box: HTMLElement | null, index: number, rowHeight: number): void {
  if (!box) return;
  const top = index * rowHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + rowHeight > box.scrollTop + box.clientHeight)
    box.scrollTop = top + rowHeight - box.clientHeight;
}
