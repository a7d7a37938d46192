/** The slots of the open query as marks on the map, in the colours and order of their lanes. */
import type { LibraryMap, QueryAnswer } from "../api/types";
import type { Lane } from "../query/lanes";
import type { Place } from "./geometry";

export interface Mark extends Place {
  number: number; // of the lane, from 1
  colour: number; // of the lane, 1 to 8
  name: string; // of its best hit
  instrument: string | null; // id of its best hit
}

/** The query whose slots belong on the map of `library`, or null. */
export function queryFor(library: string, answer: QueryAnswer | null): string | null {
  return answer && answer.library.id === library && answer.slots.length ? answer.id : null;
}

/** The marks of lanes whose slots belong to `answer`; a locked lane may hold a slot of an earlier answer. */
export function marksOf(
  slots: LibraryMap["slots"],
  lanes: readonly Lane[],
  answer: QueryAnswer | null,
): Mark[] {
  const own = new Set(answer?.slots);
  return lanes.flatMap((lane, index) => {
    const place = own.has(lane.slot) ? slots.find(({ slot }) => slot === lane.slot.slot) : undefined;
    if (!place) return [];
    const [best] = lane.slot.hits;
    return [
      {
        x: place.x,
        y: place.y,
        number: index + 1,
        colour: lane.colour,
        name: best?.name ?? "no close match",
        instrument: best?.instrument_id ?? null,
      },
    ];
  });
}
