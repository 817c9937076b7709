/** About how much JSON one command may carry, in characters: BSON can be 14 times as large, and a command holds 16 MB. */
const PIECE_CHARS = 1 << 20;

/** Items from `start` on, `end` not included. */
export interface Piece {
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts a list into runs that fit into one command each, in their order. A single larger item is a run of its own.
 *
 * @param count of the items
 * @param sizeAt about how many characters the item at an index has as JSON
 */
export function* inPieces(count: number, sizeAt: (index: number) => number): Generator<Piece> {
  let start = 0;
  let chars = 0;
  for (let index = 0; index < count; index++) {
    const size = sizeAt(index);
    if (index > start && chars + size > PIECE_CHARS) {
      yield { start, end: index };
      start = index;
      chars = 0;
    }
    chars += size;
  }
  if (count > start) yield { start, end: count };
}
