import { isDeepStrictEqual } from 'node:util';
import { isObject, type Json, type JsonObject } from '../protocol/json';

/** One side of a merge: the document as stored, beside the same document as clients see it. */
export interface Side {
  readonly stored: Readonly<Record<string, unknown>>;
  readonly wire: JsonObject;
}

/**
 * Three-way merge by field. A field that only one side has changed since the base takes that side's value (or its
 * absence); changed on both sides to different values, plain objects are merged inside, anything else takes the
 * value of the `newer` side. Arrays are values: they are never mixed.
 *
 * Algebra: merge(b, x, b) = x and merge(b, b, x) = x; merge(b, x, x) = x; each field of the result is a field of one
 * of the sides; apart from fields that both changed, exchanging the sides changes nothing.
 *
 * @returns stored values, so that no type is lost on the way through JSON
 */
export function mergeFields(
  base: JsonObject,
  ours: Side,
  theirs: Side,
  newer: 'ours' | 'theirs',
): Record<string, unknown> {
  const merged: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(ours.wire), ...Object.keys(theirs.wire)])) {
    const before = field(base, key);
    const our = field(ours.wire, key);
    const their = field(theirs.wire, key);
    let winner: Side;
    if (isDeepStrictEqual(our, their) || isDeepStrictEqual(their, before)) winner = ours;
    else if (isDeepStrictEqual(our, before)) winner = theirs;
    else if (isObject(before) && isObject(our) && isObject(their)) {
      const [ourStored, theirStored] = [ours.stored[key], theirs.stored[key]];
      if (isPlain(ourStored) && isPlain(theirStored)) {
        set(
          merged,
          key,
          mergeFields(before, { stored: ourStored, wire: our }, { stored: theirStored, wire: their }, newer),
        );
        continue;
      }
      winner = newer === 'ours' ? ours : theirs;
    } else winner = newer === 'ours' ? ours : theirs;
    if (Object.hasOwn(winner.wire, key)) set(merged, key, winner.stored[key]);
  }
  return merged;
}

function field(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** A stored object that holds fields, not a value such as an ObjectId, a Date or a regular expression. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (!isObject(value) || '_bsontype' in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function set(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
