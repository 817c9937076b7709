import { isObject, type Json, type JsonObject } from 'nest-offline-sync-protocol';
import { type StoredDocument, isPlain, setField } from '../codec/stored-document';
import { isDeepStrictEqual } from 'node:util';
import {
  type FieldFacts,
  NO_FACTS,
  factsOf,
  hiddenPart,
  holds,
  isHidden,
  isKeptByServer,
} from './field-facts';
import { encodeDocument } from '../codec/wire-codec';

/** Whether a composed document says anything else than the cast did, timestamps and version key apart. */
export interface Trace {
  bent: boolean;
}

interface Root {
  /** The whole stored document. */
  readonly stored: StoredDocument;
  readonly trace: Trace;
}

/** A document or a part of it, as it came and as the schema has cast it. */
export interface Given {
  /** Wire form. */
  readonly sent: unknown;
  readonly cast: unknown;
}

/** A document or a part of it, as it stands: in the database and on the wire. */
export interface Standing {
  readonly stored: unknown;
  readonly wire: Json | undefined;
}

type Fields = Record<string, unknown>;

/**
 * The document that a change makes of a stored one. A value that came back as it is stored is the stored value: no
 * setter runs on it a second time and no type is lost. Immutable, hidden and generated fields keep what is stored;
 * everything else is what was sent, as cast.
 *
 * @param facts of the document
 * @param standing the stored fields and their wire form
 * @param trace told whether the result differs from the cast
 */
export function compose(
  facts: FieldFacts,
  sent: JsonObject,
  cast: StoredDocument,
  standing: { readonly stored: StoredDocument; readonly wire: JsonObject },
  trace: Trace = { bent: false },
): StoredDocument {
  return fields(facts, { sent, cast }, standing, { stored: standing.stored, trace });
}

/**
 * A document of a collection without a schema: values that only the app can have stored (a Date, an ObjectId) stay what
 * they are where their wire form comes back. The very document that was sent where there is none.
 */
export function keepTypes(sent: StoredDocument, current: StoredDocument | undefined): StoredDocument {
  if (!current || !holdsTypes(current)) return sent;
  return compose(NO_FACTS, sent as JsonObject, sent, { stored: current, wire: encodeDocument(current) });
}

function holdsTypes(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsTypes);
  return !isPlain(value) || Object.values(value).some(holdsTypes);
}

function fields(facts: FieldFacts, given: Given, standing: Standing, root: Root): StoredDocument {
  const sent = given.sent as Fields;
  const cast = given.cast as Fields;
  const stored = standing.stored as Fields;
  const wire = (standing.wire ?? {}) as JsonObject;
  const result: Fields = {};
  for (const key of new Set([...Object.keys(cast), ...Object.keys(sent), ...Object.keys(stored)])) {
    const of = factsOf(facts, key);
    const isSent = Object.hasOwn(sent, key);
    const isCast = Object.hasOwn(cast, key);
    const isStored = Object.hasOwn(stored, key);
    let value: unknown;
    if (of.immutable?.(root.stored) === true) value = isStored || isSent ? stored[key] : cast[key];
    else if (
      isStored &&
      (of.time === 'created' || (!isSent && (of.isHidden || (of.isGenerated && !isEmpty(cast[key])))))
    )
      value = stored[key];
    else if (of.time === 'updated') value = isCast ? cast[key] : stored[key];
    else if (isSent && isStored && agrees(of, sent[key], cast[key], wire[key])) value = stored[key];
    else if (isCast && isStored)
      value = part(
        of,
        { sent: isSent ? sent[key] : undefined, cast: cast[key] },
        { stored: stored[key], wire: wire[key] },
        root,
      );
    else if (isCast) value = cast[key];
    else if (isStored && !isSent && holds(of, isHidden)) value = hiddenPart(of, stored[key]);
    if (value !== undefined) setField(result, key, value);
    if (value !== cast[key] && !root.trace.bent) root.trace.bent = bends(of, value, cast[key]);
  }
  return result;
}

function bends(facts: FieldFacts, value: unknown, cast: unknown): boolean {
  return !isKeptByServer(facts) && !isDeepStrictEqual(value, cast);
}

/** A list or an object that a default gives by a function is as constant as one that it gives by a value. */
function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isPlain(value) && Object.keys(value).length === 0;
}

/** A field that was sent and is stored, with another value. */
function part(facts: FieldFacts, given: Given, standing: Standing, root: Root): unknown {
  const { sent, cast } = given;
  const { stored, wire } = standing;
  if (Array.isArray(cast) && Array.isArray(stored) && Array.isArray(sent) && sent.length === cast.length)
    return elements(facts, sent, cast, { stored, wire: wire as Json[] }, root);
  if (isPlain(cast) && isPlain(stored) && (isObject(sent) || sent === undefined))
    return fields(facts, { sent: sent ?? {}, cast }, standing, root);
  return cast;
}

function elements(
  facts: FieldFacts,
  sent: readonly unknown[],
  cast: readonly unknown[],
  standing: { readonly stored: readonly unknown[]; readonly wire: readonly Json[] },
  root: Root,
): unknown[] {
  const match = matchElements(facts, sent, cast, standing.wire);
  return cast.map((element, index) => {
    const at = match[index];
    if (at === undefined) return element;
    const place = { stored: standing.stored[at], wire: standing.wire[at] };
    return agrees(facts, sent[index], element, place.wire)
      ? place.stored
      : part(facts, { sent: sent[index], cast: element }, place, root);
  });
}

/**
 * Which stored element each sent one is: the one with its `_id`, else one that says the same, else, among objects
 * without ids, the one at its place. Each stored element is taken once.
 */
function matchElements(
  facts: FieldFacts,
  sent: readonly unknown[],
  cast: readonly unknown[],
  wire: readonly Json[],
): (number | undefined)[] {
  const free = new Set(wire.keys());
  const match: (number | undefined)[] = sent.map(() => undefined);
  const take = (index: number, at: number | undefined): void => {
    if (at === undefined || at < 0 || !free.has(at)) return;
    match[index] = at;
    free.delete(at);
  };
  const byId = new Map(wire.map((element, at) => [idText(element), at]));
  sent.forEach((element, index) => {
    const id = idText(element);
    if (id !== undefined) take(index, byId.get(id));
    // Most arrays come back as they are: the element at the same place is looked at first.
    else if (free.has(index) && agrees(facts, element, cast[index], wire[index])) take(index, index);
  });
  sent.forEach((element, index) => {
    if (match[index] !== undefined || idText(element) !== undefined || free.size === 0) return;
    for (const at of free)
      if (agrees(facts, element, cast[index], wire[at])) {
        take(index, at);
        return;
      }
  });
  sent.forEach((element, index) => {
    if (match[index] === undefined && isObject(element) && idText(element) === undefined) take(index, index);
  });
  return match;
}

function idText(element: unknown): string | undefined {
  if (!isObject(element) || !Object.hasOwn(element, '_id')) return undefined;
  return JSON.stringify((element as Fields)['_id']);
}

/**
 * Whether what was sent says the same as a document on the wire: equal, but for what the cast has added to it and for
 * timestamps. So a value that the server generated is never taken for an edit of the device.
 */
export function agrees(facts: FieldFacts, sent: unknown, cast: unknown, wire: Json | undefined): boolean {
  if (sent === wire) return true;
  if (Array.isArray(sent))
    return (
      Array.isArray(wire) &&
      sent.length === wire.length &&
      sent.every((item, index) =>
        agrees(facts, item, Array.isArray(cast) ? cast[index] : undefined, (wire as readonly Json[])[index]),
      )
    );
  if (!isObject(sent) || !isObject(wire)) return isDeepStrictEqual(sent, wire);
  const added = isPlain(cast) ? cast : {};
  for (const key of Object.keys(sent)) {
    const of = factsOf(facts, key);
    if (of.time !== undefined) continue;
    if (!Object.hasOwn(wire, key) || !agrees(of, sent[key], added[key], wire[key])) return false;
  }
  return Object.keys(wire).every(
    (key) => Object.hasOwn(sent, key) || Object.hasOwn(added, key) || factsOf(facts, key).time !== undefined,
  );
}

/** The first immutable field that was sent with another value than the one that stands. */
export function findImmutable(
  facts: FieldFacts,
  sent: JsonObject,
  wire: JsonObject,
  root: StoredDocument,
): string[] | undefined {
  for (const key of Object.keys(sent)) {
    const of = factsOf(facts, key);
    const [given, stands] = [sent[key], wire[key]];
    if (of.immutable?.(root) && !agrees(of, given, undefined, stands)) return [key];
    const inner =
      of.children && isObject(given) && isObject(stands) ? findImmutable(of, given, stands, root) : undefined;
    if (inner) return [key, ...inner];
  }
  return undefined;
}
