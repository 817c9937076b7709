import type { StoredDocument } from '../codec/stored-document';
import type { ExistingIndex } from '../database/indexes';

/** A unique index of a collection, as far as what it holds can be told beforehand. */
export interface UniqueIndex {
  readonly name: string;
  readonly paths: readonly string[];
  readonly sparse: boolean;
  /** Which documents it holds; undefined: all. */
  readonly filter: Readonly<Record<string, unknown>> | undefined;
  readonly collation: object | undefined;
}

/** A document's value in each path of an index; several where a list gives several. */
export interface IndexKey {
  readonly values: readonly unknown[];
  /** The same for all keys that the index takes for the same. */
  readonly text: string;
}

/** The indexes that may refuse a value. The one of `_id` does so for another id only where a collation folds them. */
export function uniqueIndexes(indexes: readonly ExistingIndex[]): UniqueIndex[] {
  return indexes
    .filter(({ name, unique, collation }) => unique || (name === '_id_' && collation))
    .filter(({ key }) => Object.entries(key).every(([path, order]) => isPlainPath(path, order)))
    .map(({ name, key, sparse, partialFilterExpression: filter, collation }) => ({
      name,
      paths: Object.keys(key),
      sparse: sparse ?? false,
      filter,
      collation,
    }));
}

/** Neither hashed nor of geometry; and no number in the path, which may be a field or a position. */
function isPlainPath(path: string, order: unknown): boolean {
  return typeof order === 'number' && !path.split('.').some((part) => /^\d+$/.test(part));
}

/**
 * The keys under which an index holds a document; none when it does not hold it, or when its keys cannot be told
 * beforehand: what is not foreseen, the database says when it is written.
 *
 * @param same gives one text for all that the index's collation takes for the same
 */
export function keysOf(
  document: StoredDocument,
  { paths, sparse }: UniqueIndex,
  same: (text: string) => string,
): IndexKey[] {
  const found = paths.map((path) => valuesAt(document, path.split('.')));
  if (found.some((values) => values === undefined)) return [];
  const all = found as (readonly unknown[])[];
  if (sparse && all.every((values) => values.length === 1 && values[0] === MISSING)) return [];
  // Two lists in one index: refused, or of the same parent.
  if (all.filter((values) => values.length !== 1).length > 1) return [];
  const count = Math.max(...all.map((values) => values.length));
  const keys: IndexKey[] = [];
  for (let at = 0; at < count; at++) {
    const values = all.map((each) => (each.length === 1 ? each[0] : each[at]));
    const texts = values.map((value) => canonical(value, same));
    if (texts.includes(undefined)) return [];
    keys.push({ values: values.map((value) => (value === MISSING ? null : value)), text: texts.join('\0') });
  }
  return keys;
}

/** An index holds a missing field as null. */
const MISSING = undefined;

/** Undefined: it cannot be told. */
function valuesAt(value: unknown, path: readonly string[]): readonly unknown[] | undefined {
  const [field, ...rest] = path;
  if (Array.isArray(value)) {
    if (value.length === 0) return undefined;
    if (field === undefined) return value as readonly unknown[];
    const each = value.map((item) => (isPlainObject(item) ? valuesAt(item, path) : undefined));
    return each.every((values) => values?.length === 1) ? each.map((values) => values?.[0]) : undefined;
  }
  if (field === undefined) return [value];
  return isPlainObject(value) ? valuesAt(value[field], rest) : [MISSING];
}

/**
 * A text that two values have in common exactly if an index takes them for the same: 1, 1.0 and Long(1), say. Undefined
 * for types that are not told apart here.
 */
function canonical(value: unknown, same: (text: string) => string): string | undefined {
  if (value === MISSING || value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(same(value));
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint') return numberText(value);
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (ArrayBuffer.isView(value)) return `binary 0 ${hex(value)}`;
  if (Array.isArray(value))
    return joined(
      '[]',
      value.map((item) => canonical(item, same)),
    );
  if (typeof value === 'object' && '_bsontype' in value) return canonicalType(value);
  if (!isPlainObject(value)) return undefined;
  const fields = Object.entries(value).filter(([, item]) => item !== undefined);
  return joined(
    '{}',
    fields.map(([name, item]) => {
      const text = canonical(item, same);
      return text && `${JSON.stringify(name)}:${text}`;
    }),
  );
}

interface BsonValue {
  readonly _bsontype: unknown;
  readonly buffer?: Uint8Array;
  readonly sub_type?: number;
  toHexString?(): string;
  toString(): string;
  valueOf(): unknown;
}

function canonicalType(value: BsonValue): string | undefined {
  switch (value._bsontype) {
    case 'ObjectId':
      return `id ${value.toHexString?.()}`;
    case 'Long':
      return value.toString();
    case 'Int32':
    case 'Double':
      return numberText(Number(value.valueOf()));
    case 'Binary':
      return `binary ${value.sub_type} ${hex(value.buffer ?? new Uint8Array())}`;
    default:
      return undefined;
  }
}

function numberText(value: number | bigint): string {
  return typeof value === 'number' && Number.isInteger(value) ? String(BigInt(value)) : String(value);
}

function hex(bytes: ArrayBufferView): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function joined(brackets: string, texts: readonly (string | undefined)[]): string | undefined {
  return texts.includes(undefined) ? undefined : `${brackets.charAt(0)}${texts.join()}${brackets.charAt(1)}`;
}

/** Neither a list nor one of BSON's own types, nor anything else that has a class. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || '_bsontype' in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** All texts in a value, for a collation to compare. */
export function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (Array.isArray(value) || isPlainObject(value))
    for (const item of Object.values(value)) yield* textsIn(item);
}
