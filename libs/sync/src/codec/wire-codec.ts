import { types } from 'node:util';
import type { Json, JsonObject } from 'nest-offline-sync-protocol';
import { encodeBson, encodeInteger, encodeNumber, encodeRegExp, isBsonValue } from './bson-wire';
import { isSyncField, type StoredDocument } from './stored-document';

/** A value under construction: what is read back is {@link Json}. */
type Draft = Record<string, Json>;

/**
 * A stored document as clients see it: every value by its type (docs/protocol.md has the table), without `_id` and
 * without any top-level `_sync_*`. Never throws for anything that MongoDB can hold, so that one odd document never
 * stops a scope's readers. Keys that the app itself stored are kept as they are, also those that a client may not
 * push (`$x`, `a.b`); the codec makes such keys only for the types that {@link encodeBson} names.
 */
export function encodeDocument(stored: StoredDocument): JsonObject {
  const source = bsonForm(stored) as StoredDocument;
  const document: Draft = {};
  for (const key of Object.keys(source)) {
    if (key === '_id' || isSyncField(key)) continue;
    assign(document, key, source[key]);
  }
  return document;
}

/** What clients see of a stored document, in a collection with a form of its documents or without one. */
export function encodeBy(
  form: { encode(stored: StoredDocument): JsonObject } | undefined,
  stored: StoredDocument,
): JsonObject {
  return form ? form.encode(stored) : encodeDocument(stored);
}

/** One value of a stored document as JSON; what JSON cannot carry (a function, undefined) is null. */
export function encodeValue(value: unknown): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return encodeNumber(value);
    case 'object':
      return value === null ? null : encodeObject(value);
    case 'bigint':
      return encodeInteger(value);
    default:
      return null;
  }
}

function encodeObject(value: object): Json {
  if (Array.isArray(value)) return encodeArray(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return encodePlain(value);
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (isBsonValue(value)) return encodeBson(value, encodeValue);
  if (types.isUint8Array(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  if (types.isMap(value)) return encodeMap(value);
  if (types.isRegExp(value)) return encodeRegExp(value.source, value.flags);
  const form = bsonForm(value);
  return form === value ? encodePlain(value) : encodeValue(form);
}

function encodeArray(items: readonly unknown[]): Json[] {
  const target: Json[] = [];
  for (const item of items) target.push(encodeValue(item));
  return target;
}

function encodePlain(value: object): JsonObject {
  const source = bsonForm(value) as Record<string, unknown>;
  const target: Draft = {};
  for (const key of Object.keys(source)) assign(target, key, source[key]);
  return target;
}

function encodeMap(map: ReadonlyMap<unknown, unknown>): JsonObject {
  const target: Draft = {};
  for (const [key, value] of map) assign(target, String(key), value);
  return target;
}

function assign(target: Draft, key: string, value: unknown): void {
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol') return;
  const encoded = encodeValue(value);
  // A plain assignment to this one key would change the prototype instead of making a field.
  if (key === '__proto__')
    Object.defineProperty(target, key, {
      value: encoded,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  else target[key] = encoded;
}

/** Like the driver: an object that says how it is stored (a Mongoose document or array) is taken at its word. */
function bsonForm(value: object): unknown {
  return 'toBSON' in value && typeof value.toBSON === 'function'
    ? (value.toBSON as () => unknown).call(value)
    : value;
}
