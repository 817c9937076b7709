import { isObject } from 'nest-offline-sync-protocol';
import { type StoredDocument, setField, isPlain } from '../codec/stored-document';
import { isDeepStrictEqual } from 'node:util';

/**
 * What a schema says of a field, apart from its type. Arrays are transparent: the facts of an array are those of its
 * elements. `*` among the children stands for every other name (the values of a map).
 */
export interface FieldFacts {
  /** An update keeps what is stored, also its absence. Told by the stored document where the schema asks a function. */
  readonly immutable?: (stored: StoredDocument) => boolean;
  /** The server fills the field by a function when it is missing: another value each time. */
  readonly isGenerated?: boolean;
  /** One of the schema's timestamps: an update keeps `created`, and `updated` says nothing about an edit. */
  readonly time?: 'created' | 'updated';
  /** Never leaves the server; a device's edit leaves it as it is. */
  readonly isHidden?: boolean;
  /** The schema's version key: hidden, and no secret. */
  readonly isVersionKey?: boolean;
  readonly children?: ReadonlyMap<string, FieldFacts>;
}

export const NO_FACTS: FieldFacts = {};

/** What is said of one of a field's children. */
export function factsOf(facts: FieldFacts, key: string): FieldFacts {
  return facts.children?.get(key) ?? facts.children?.get('*') ?? NO_FACTS;
}

/** Whether anything below a field is of a kind. */
export function holds(facts: FieldFacts, isOfKind: (facts: FieldFacts) => boolean): boolean {
  if (!facts.children) return false;
  for (const child of facts.children.values()) if (isOfKind(child) || holds(child, isOfKind)) return true;
  return false;
}

/** Moves with each write, whatever was written. */
export function isKeptByServer(facts: FieldFacts): boolean {
  return facts.time !== undefined || facts.isVersionKey === true;
}

/** Whether two stored documents, or parts of them, are the same, but for what the server keeps in them. */
export function isSame(facts: FieldFacts, one: unknown, other: unknown): boolean {
  if (!facts.children) return isDeepStrictEqual(one, other);
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, at) => isSame(facts, item, other[at]));
  if (!isPlain(one) || !isPlain(other)) return isDeepStrictEqual(one, other);
  const has = (whose: StoredDocument, key: string): boolean =>
    Object.hasOwn(whose, key) && whose[key] !== undefined;
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const of = factsOf(facts, key);
    if (isKeptByServer(of)) continue;
    if (has(one, key) !== has(other, key) || !isSame(of, one[key], other[key])) return false;
  }
  return true;
}

export function isHidden(facts: FieldFacts): boolean {
  return facts.isHidden === true;
}

/** A document with the hidden fields of another one, where it lacks them. Lists keep those that they hold. */
export function keepHidden(
  facts: FieldFacts,
  document: StoredDocument,
  current: StoredDocument,
): StoredDocument {
  const result = { ...document };
  for (const key of Object.keys(current)) {
    const of = factsOf(facts, key);
    const [value, stored] = [result[key], current[key]];
    if (of.isHidden) {
      if (!Object.hasOwn(result, key)) setField(result, key, stored);
    } else if (holds(of, isHidden)) {
      const kept = isPlain(value) && isPlain(stored) ? keepHidden(of, value, stored) : undefined;
      const made = Object.hasOwn(result, key) ? kept : hiddenPart(of, stored);
      if (made !== undefined) setField(result, key, made);
    }
  }
  return result;
}

/** What stays of an object that a device has removed: the fields that it never saw. */
export function hiddenPart(facts: FieldFacts, stored: unknown): unknown {
  if (!isPlain(stored)) return undefined;
  const kept = keepHidden(facts, {}, stored);
  return Object.keys(kept).length > 0 ? kept : undefined;
}

/** Takes fields of a kind out of a wire form that nobody else holds. */
export function dropFields(facts: FieldFacts, wire: unknown, isOfKind: (facts: FieldFacts) => boolean): void {
  if (Array.isArray(wire)) {
    for (const item of wire) dropFields(facts, item, isOfKind);
    return;
  }
  if (!isObject(wire) || !facts.children) return;
  for (const key of Object.keys(wire)) {
    const of = factsOf(facts, key);
    if (isOfKind(of)) Reflect.deleteProperty(wire, key);
    else if (of.children) dropFields(of, wire[key], isOfKind);
  }
}

/** The first hidden field that a document holds. */
export function findHidden(facts: FieldFacts, value: unknown): (string | number)[] | undefined {
  if (Array.isArray(value)) return findAmong(value.entries(), () => facts);
  if (!isObject(value) || !facts.children) return undefined;
  return findAmong(Object.entries(value), (key) => factsOf(facts, key));
}

function findAmong<K extends string | number>(
  entries: Iterable<[K, unknown]>,
  factsAt: (key: K) => FieldFacts,
): (string | number)[] | undefined {
  for (const [key, inner] of entries) {
    const of = factsAt(key);
    if (of.isHidden) return [key];
    const found = findHidden(of, inner);
    if (found) return [key, ...found];
  }
  return undefined;
}
