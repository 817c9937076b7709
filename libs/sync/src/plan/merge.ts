import { isObject, type Json, type JsonObject } from 'nest-offline-sync-protocol';
import { isPlain, setField } from '../codec/stored-document';
import { isDeepStrictEqual } from 'node:util';
import { agrees } from './composition';
import { factsOf, type FieldFacts } from './field-facts';

/** One side of a merge: the document as stored, next to the same document as clients see it. */
export interface Side {
  readonly stored: Readonly<Record<string, unknown>>;
  readonly wire: JsonObject;
}

/** The side that came in. What its sender has said decides what it has changed, not what casting made of it. */
export interface IncomingSide extends Side {
  readonly sent: JsonObject;
}

/**
 * Three-way merge by field. A field that only one side has changed since the base takes that side's value (or its
 * absence); changed on both sides to different values, plain objects are merged inside, anything else takes the
 * value of the `newer` side. Arrays are values: they are never mixed. A field that was not sent, and that casting has
 * filled (a default, a generated value), is no change.
 *
 * Algebra: merge(b, x, b) = x and merge(b, b, x) = x; merge(b, x, x) = x; each field of the result is a field of one
 * of the sides; apart from fields that both changed, exchanging the sides changes nothing.
 *
 * @returns stored values, so that no type is lost on the way through JSON
 */
export function mergeFields(
  base: JsonObject,
  ours: Side,
  theirs: IncomingSide,
  newer: 'ours' | 'theirs',
  facts: FieldFacts = {},
): Record<string, unknown> {
  const merged: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(ours.wire), ...Object.keys(theirs.wire)])) {
    const of = factsOf(facts, key);
    const before = field(base, key);
    const our = field(ours.wire, key);
    const their = field(theirs.wire, key);
    const says = (wire: Json | undefined) =>
      isDeepStrictEqual(their, wire) ||
      (Object.hasOwn(theirs.sent, key)
        ? agrees(of, theirs.sent[key], theirs.stored[key], wire)
        : their !== undefined && wire !== undefined);
    let winner: Side;
    if (isDeepStrictEqual(our, their) || says(before) || (before === undefined && says(our))) winner = ours;
    else if (isDeepStrictEqual(our, before)) winner = theirs;
    else if (isObject(before) && isObject(our) && isObject(their)) {
      const [ourStored, theirStored] = [ours.stored[key], theirs.stored[key]];
      if (isPlain(ourStored) && isPlain(theirStored)) {
        const sent = field(theirs.sent, key);
        const inner = { stored: theirStored, wire: their, sent: isObject(sent) ? sent : {} };
        setField(merged, key, mergeFields(before, { stored: ourStored, wire: our }, inner, newer, of));
        continue;
      }
      winner = newer === 'ours' ? ours : theirs;
    } else winner = newer === 'ours' ? ours : theirs;
    if (Object.hasOwn(winner.wire, key)) setField(merged, key, winner.stored[key]);
  }
  return merged;
}

function field(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
