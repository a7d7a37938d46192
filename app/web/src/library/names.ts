/** Readable names in a list: what a name shares with its neighbours is faded, and a long one is cut in its middle. */

const SEPARATORS = " _-./,:";
const SHORTEST_PREFIX = 4; // characters worth fading
const LONGEST_WHOLE = 34; // longer names are cut where they do not fit
const TAIL = 12; // characters that stay of a cut name

/** The beginning of `name`, up to a separator, that the row above or the row below has too; empty if it is short. */
export function sharedPrefix(name: string, ...neighbours: readonly (string | undefined)[]): string {
  const longest = Math.max(0, ...neighbours.map((other) => commonLength(name, other ?? "")));
  let end = Math.min(longest, name.length - 1); // something of the name remains
  while (end > 0 && !SEPARATORS.includes(name.charAt(end - 1))) end--;
  return end < SHORTEST_PREFIX ? "" : name.slice(0, end);
}

function commonLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one.charAt(length) === other.charAt(length)) length++;
  return length;
}

export interface NameParts {
  prefix: string; // faded
  head: string; // ends in an ellipsis where the name does not fit
  tail: string; // always shown; empty for names that need no cut
}

/** Split a name whose first characters are `prefix`. */
export function nameParts(name: string, prefix: string): NameParts {
  const cut = name.length > LONGEST_WHOLE ? name.length - TAIL : name.length;
  const faded = prefix.slice(0, cut);
  return { prefix: faded, head: name.slice(faded.length, cut), tail: name.slice(cut) };
}
