/** An instrument's name in the list, with its tags. */
import type { Instrument } from "../api/types";
import { dragOut } from "../ui/dragOut";
import { nameParts } from "./names";

interface InstrumentNameProps {
  item: Instrument;
  prefix: string; // shared with a neighbour
  onEdit?: (() => void) | undefined; // none where the caller may only read
}

export function InstrumentName({ item, prefix, onEdit }: InstrumentNameProps) {
  const parts = nameParts(item.name, prefix);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: mouse shortcuts; the pencil button and F2 rename, too
    <span class="instrument-what" onDblClick={onEdit} draggable onDragStart={(event) => dragOut(event, item)}>
      <span class="instrument-name" data-test="name" data-cut={parts.tail !== ""} title={item.name}>
        <span class="name-head">
          {parts.prefix && <span class="name-prefix">{parts.prefix}</span>}
          {parts.head}
        </span>
        {parts.tail && <span class="name-tail">{parts.tail}</span>}
      </span>
      {item.tags.map((tag) => (
        <span key={tag} class="tag" data-test="tag">
          {tag}
        </span>
      ))}
    </span>
  );
}
