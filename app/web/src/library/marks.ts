/** The changes that a row and the bar of the selection share, in words. */
import type { Instrument } from "../api/types";
import { familyName } from "../ui/Family";
import { changeInstruments, type EditableList } from "./instrumentActions";

type Items = readonly Instrument[];

export const correctFamily = (list: EditableList, items: Items, family: string | null) =>
  changeInstruments(list, items, () => ({ family }), `now ${familyName(family)}`);

export const setFavourite = (list: EditableList, items: Items, favourite: boolean) =>
  changeInstruments(
    list,
    items,
    () => ({ favourite }),
    favourite ? "among the favourites" : "no longer among the favourites",
  );

export const addTag = (list: EditableList, items: Items, tag: string) =>
  changeInstruments(list, items, ({ tags }) => ({ tags: [...without(tags, tag), tag] }), `tagged “${tag}”`);

export const removeTag = (list: EditableList, items: Items, tag: string) =>
  changeInstruments(
    list,
    items.filter(({ tags }) => tags.includes(tag)),
    ({ tags }) => ({ tags: without(tags, tag) }),
    `no longer tagged “${tag}”`,
  );

/** The tags but one, which is the same in either case. */
function without(tags: readonly string[], tag: string): string[] {
  return tags.filter((other) => other.toLowerCase() !== tag.toLowerCase());
}
