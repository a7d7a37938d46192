/** The bar above the list: search, filters and order. */
import { type Signal, useComputed, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import type { InstrumentFilter } from "../api/client";
import type { InstrumentOrder } from "../api/types";
import { limits } from "../state/server";
import { Button } from "../ui/Button";
import { familyName } from "../ui/Family";
import { Icon } from "../ui/icons";

const SEARCH_PAUSE_MS = 150;
const ORDERS: [InstrumentOrder, string][] = [
  ["enrolled", "As added"],
  ["newest", "Newest first"],
  ["name", "By name"],
  ["family", "By family"],
];

/** What the list shows, and the text that is being typed. */
export interface Listing {
  typed: Signal<string>;
  filter: Signal<Required<InstrumentFilter>>;
  filtered: boolean; // whether instruments are left out
  change: (changes: InstrumentFilter) => void;
  clear: () => void;
}

const WHOLE = { search: "", family: null, favourite: false };

/** Keep the filter of a list; the search follows the typing after a pause. */
export function useListing(search: string): Listing {
  const typed = useSignal(search);
  const filter = useSignal<Required<InstrumentFilter>>({ ...WHOLE, search, sort: "enrolled" });
  const filtered = useComputed(() => {
    const now = filter.value;
    return now.search !== "" || now.family !== null || now.favourite;
  });
  const change = (changes: InstrumentFilter) => {
    filter.value = { ...filter.peek(), ...changes };
  };
  useEffect(() => {
    if (typed.value.trim() === filter.peek().search) return;
    const timer = setTimeout(() => change({ search: typed.value.trim() }), SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed.value]);
  const clear = () => {
    typed.value = "";
    change(WHOLE);
  };
  return { typed, filter, filtered: filtered.value, change, clear };
}

interface BrowserBarProps {
  listing: Listing;
  field: RefObject<HTMLInputElement | null>;
  count: string;
}

export function BrowserBar({ listing, field, count }: BrowserBarProps) {
  const { typed, filter, change } = listing;
  const { family, favourite, sort } = filter.value;
  return (
    <div class="browser-bar">
      <label class="search">
        <Icon name="search" />
        <input
          ref={field}
          type="search"
          class="input"
          data-test="search"
          aria-label="Search instruments by words of their names and tags"
          placeholder="Search names and tags"
          value={typed.value}
          onInput={(event) => {
            typed.value = event.currentTarget.value;
          }}
        />
      </label>
      <select
        class="input"
        data-test="family-select"
        aria-label="Filter by family"
        value={family ?? ""}
        onChange={(event) => change({ family: event.currentTarget.value || null })}
      >
        <option value="">All families</option>
        {limits.value.families.map((name) => (
          <option key={name} value={name}>
            {familyName(name)}
          </option>
        ))}
        <option value={familyName(null)}>{familyName(null)}</option>
      </select>
      <select
        class="input"
        data-test="sort"
        aria-label="Order"
        value={sort}
        onChange={(event) => change({ sort: event.currentTarget.value as InstrumentOrder })}
      >
        {ORDERS.map(([order, words]) => (
          <option key={order} value={order}>
            {words}
          </option>
        ))}
      </select>
      <Button
        kind="quiet"
        icon="star"
        label="Favourites only"
        pressed={favourite}
        data-test="favourites"
        onClick={() => change({ favourite: !favourite })}
      />
      <span class="quiet browser-count" role="status" data-test="count">
        {count}
      </span>
    </div>
  );
}
