/** What can be done with the selected instruments: family, tags, favourites, delete. */
import { useSignal } from "@preact/signals";
import type { Instrument } from "../api/types";
import { limits } from "../state/server";
import { Button } from "../ui/Button";
import { familyName } from "../ui/Family";
import { Icon } from "../ui/icons";
import { type EditableList, removeInstruments } from "./instrumentActions";
import { addTag, correctFamily, removeTag, setFavourite } from "./marks";

const MAX_TAG_LENGTH = 40; // the service's limit

interface BulkBarProps {
  items: readonly Instrument[];
  list: EditableList;
  onClear: () => void;
}

export function BulkBar({ items, list, onClear }: BulkBarProps) {
  const areFavourites = items.every(({ favourite }) => favourite);
  return (
    <section class="bulk" data-test="bulk" aria-label="Selected instruments">
      <span role="status" data-test="selected">
        {items.length} selected
      </span>
      <select
        class="input"
        data-test="bulk-family"
        aria-label="Family of the selected instruments"
        value="-"
        onChange={(event) => {
          const family = event.currentTarget.value || null;
          event.currentTarget.value = "-";
          void correctFamily(list, items, family);
        }}
      >
        <option value="-" disabled hidden>
          Family…
        </option>
        <option value="">{familyName(null)}</option>
        {limits.value.families.map((name) => (
          <option key={name} value={name}>
            {familyName(name)}
          </option>
        ))}
      </select>
      <Tags items={items} list={list} />
      <Button
        icon="star"
        pressed={areFavourites}
        data-test="bulk-favourite"
        onClick={() => void setFavourite(list, items, !areFavourites)}
      >
        Favourite
      </Button>
      <Button
        kind="danger"
        icon="trash"
        data-test="bulk-delete"
        onClick={() => void removeInstruments(list, items)}
      >
        Delete
      </Button>
      <Button kind="quiet" icon="close" label="Select nothing" data-test="bulk-clear" onClick={onClear} />
    </section>
  );
}

/** The tags of the selected instruments, each to be taken from all of them, and a field for another. */
function Tags({ items, list }: Omit<BulkBarProps, "onClear">) {
  const typed = useSignal("");
  const tags = [...new Set(items.flatMap((item) => item.tags))].sort();
  return (
    <form
      class="bulk-tags"
      onSubmit={(event) => {
        event.preventDefault();
        const tag = typed.value.replaceAll(",", " ").replace(/\s+/g, " ").trim();
        typed.value = "";
        if (tag) void addTag(list, items, tag);
      }}
    >
      <input
        class="input"
        data-test="bulk-tag"
        aria-label="Tag the selected instruments"
        placeholder="Add a tag"
        maxLength={MAX_TAG_LENGTH}
        autoComplete="off"
        value={typed.value}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
        }}
      />
      {tags.map((tag) => (
        <button
          key={tag}
          type="button"
          class="tag"
          data-test="bulk-untag"
          aria-label={`Remove the tag ${tag}`}
          title="Remove this tag"
          onClick={() => void removeTag(list, items, tag)}
        >
          {tag} <Icon name="close" size={10} />
        </button>
      ))}
    </form>
  );
}
