/** One instrument in the list: select, play, name (double-click or F2 renames) with tags, source, family, favourite, delete;
 * without a list to edit, to read. */
import { Component } from "preact";
import type { Instrument } from "../api/types";
import { Button } from "../ui/Button";
import { FamilyChip } from "../ui/Family";
import { formatCount } from "../ui/format";
import { PlayButton } from "../ui/PlayButton";
import { FamilySelect } from "./FamilySelect";
import { InstrumentName } from "./InstrumentName";
import { type EditableList, removeInstruments, renameInstrument } from "./instrumentActions";
import { correctFamily, setFavourite } from "./marks";
import { NameEdit } from "./NameEdit";
import type { Selection } from "./selection";

interface InstrumentRowProps {
  item: Instrument;
  prefix: string; // of its name, shared with a neighbour
  index: number;
  current: boolean;
  selected: boolean;
  editing: boolean;
  list: EditableList | null; // null where the caller may only read
  selection: Selection;
  onCurrent: (index: number) => void;
  onEdit: (id: string | null) => void;
}

/** Skips rendering for unchanged rows while others scroll in and out. */
export class InstrumentRow extends Component<InstrumentRowProps> {
  override shouldComponentUpdate(next: InstrumentRowProps): boolean {
    const { item, prefix, index, current, selected, editing, list } = this.props;
    return (
      next.item !== item ||
      next.prefix !== prefix ||
      next.index !== index ||
      next.selected !== selected ||
      next.current !== current ||
      next.editing !== editing ||
      next.list !== list
    );
  }

  render(props: InstrumentRowProps) {
    return <Row {...props} />;
  }
}

function Row(props: InstrumentRowProps) {
  const { item, prefix, index, current, selected, editing, list, selection, onCurrent, onEdit } = props;
  const tabIndex = current ? 0 : -1; // roving tab index: only the current row is in the tab order
  const select = (event: MouseEvent) => {
    const isField = (event.target as Element).closest("button, select, input") !== null;
    if (!list || isField) return;
    if (event.shiftKey) selection.extend(index);
    else if (event.ctrlKey || event.metaKey) selection.toggle(index);
    else selection.begin(index);
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/noStaticElementInteractions: the box and the keys do the same
    <div
      class="instrument"
      data-test="instrument-row"
      data-id={item.id}
      data-index={index}
      data-current={current || undefined}
      data-selected={selected || undefined}
      data-editable={list !== null}
      onFocusCapture={() => onCurrent(index)}
      onPointerDown={() => onCurrent(index)}
      onMouseDown={(event) => event.shiftKey && event.preventDefault()} // selects rows, not text
      onClick={select}
    >
      {list && (
        <input
          type="checkbox"
          data-test="select"
          aria-label={`Select ${item.name}`}
          tabIndex={tabIndex}
          checked={selected}
          onClick={(event) => {
            if (!event.shiftKey) return selection.toggle(index);
            event.preventDefault(); // the range decides
            selection.extend(index);
          }}
        />
      )}
      <PlayButton url={item.preview_url} label={item.name} tabIndex={tabIndex} />
      {editing && list ? (
        <NameEdit
          value={item.name}
          label={`New name for ${item.name}`}
          onSave={(name) => renameInstrument(list, item, name)}
          onClose={() => onEdit(null)}
        />
      ) : (
        <InstrumentName item={item} prefix={prefix} onEdit={list ? () => onEdit(item.id) : undefined} />
      )}
      <span class="instrument-source" title={detailOf(item)}>
        {item.stale && (
          <span class="mark-stale" data-test="instrument-stale">
            not searched
          </span>
        )}
        {sourceWords(item)}
      </span>
      {list ? (
        <Tools item={item} list={list} tabIndex={tabIndex} onEdit={onEdit} />
      ) : (
        <FamilyChip family={item.family} recognised={item.recognised_family} />
      )}
    </div>
  );
}

interface ToolsProps {
  item: Instrument;
  list: EditableList;
  tabIndex: number;
  onEdit: (id: string) => void;
}

/** The tools that change an instrument: its family, its name, whether it is a favourite, and whether it is there. */
function Tools({ item, list, tabIndex, onEdit }: ToolsProps) {
  return (
    <>
      <FamilySelect
        item={item}
        tabIndex={tabIndex}
        onChange={(family) => void correctFamily(list, [item], family)}
      />
      <span class="instrument-tools">
        <Button
          kind="quiet"
          icon="star"
          label={`${item.name} is a favourite`}
          data-test="favourite"
          tabIndex={tabIndex}
          pressed={item.favourite}
          onClick={() => void setFavourite(list, [item], !item.favourite)}
        />
        <Button
          kind="quiet"
          icon="edit"
          label={`Rename ${item.name}`}
          data-test="rename"
          tabIndex={tabIndex}
          onClick={() => onEdit(item.id)}
        />
        <Button
          kind="quiet"
          icon="trash"
          label={`Delete ${item.name}`}
          data-test="delete"
          tabIndex={tabIndex}
          onClick={() => void removeInstruments(list, [item])}
        />
      </span>
    </>
  );
}

/** A row that is not loaded yet. */
export function PendingRow() {
  return (
    <div class="instrument instrument-pending" aria-hidden="true">
      <i />
      <i />
    </div>
  );
}

/** `TimGM6mb.sf2#0:35` → `TimGM6mb.sf2, preset 0:35`. */
export function sourceWords({ source }: Instrument): string {
  return source.replace(/#(\d+:\d+)$/, ", preset $1");
}

function detailOf(item: Instrument): string {
  const range = item.playable_range ? `, MIDI pitches ${item.playable_range.join(" to ")}` : "";
  return `${sourceWords(item)} · ${formatCount(item.num_clips, "clip")}${range}${item.licence ? ` · ${item.licence}` : ""}`;
}
