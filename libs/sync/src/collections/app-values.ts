import { types } from 'node:util';
import type { Json, JsonObject } from 'nest-offline-sync-protocol';
import { isBsonValue } from '../codec/bson-wire';
import { isSyncField, setField } from '../codec/stored-document';
import { encodeValue } from '../codec/wire-codec';

/** A document of the app's own code in the forms that its checks and its storage need. */
export interface AppValues {
  /** To be stored: BSON values stand, `_id`, `_sync_*` and the version key do not. */
  readonly values: Record<string, unknown>;
  /** As clients will see it. */
  readonly wire: JsonObject;
  /** For the checks of keys and sizes: the wire form, without the objects that stand for one BSON value. */
  readonly json: unknown;
}

/**
 * Reads a document that the app's code gave: plain data, values of a schema, a stored or a Mongoose document. Dates,
 * ObjectIds, decimals and bytes stay what they are, also where no schema says so.
 *
 * @param maxDepth no deeper nesting is read; the check of `json` refuses what stands there
 */
export function appValues(data: object, maxDepth: number, versionKey: string | undefined): AppValues {
  const source = asPlain(data) as Record<string, unknown>;
  const values: Record<string, unknown> = {};
  const wire: Record<string, Json> = {};
  const json: Record<string, unknown> = {};
  for (const key of Object.keys(source)) {
    if (key === '_id' || key === versionKey || isSyncField(key) || isNothing(source[key])) continue;
    const read = readValue(source[key], maxDepth);
    setField(values, key, read.value);
    setField(wire, key, read.wire);
    setField(json, key, read.json);
  }
  return { values, wire, json };
}

interface Read {
  readonly value: unknown;
  readonly wire: Json;
  readonly json: unknown;
}

function readValue(given: unknown, depth: number): Read {
  const value = typeof given === 'object' && given !== null ? asPlain(given) : given;
  if (Array.isArray(value)) return readArray(value, depth);
  if (types.isMap(value)) return readObject(Object.fromEntries(value) as Record<string, unknown>, depth);
  if (isFields(value)) return readObject(value, depth);
  const wire = encodeValue(value);
  return { value, wire, json: typeof wire === 'object' ? null : wire };
}

function readArray(items: readonly unknown[], depth: number): Read {
  if (depth === 0) return tooDeep([]);
  const read = items.map((item) => readValue(item, depth - 1));
  return {
    value: read.map(({ value }) => value),
    wire: read.map(({ wire }) => wire),
    json: read.map(({ json }) => json),
  };
}

function readObject(source: Record<string, unknown>, depth: number): Read {
  if (depth === 0) return tooDeep({});
  const read: { value: object; wire: object; json: object } = { value: {}, wire: {}, json: {} };
  for (const key of Object.keys(source)) {
    if (isNothing(source[key])) continue;
    const inner = readValue(source[key], depth - 1);
    setField(read.value as Record<string, unknown>, key, inner.value);
    setField(read.wire as Record<string, unknown>, key, inner.wire);
    setField(read.json as Record<string, unknown>, key, inner.json);
  }
  return read as unknown as Read;
}

/** Stands at a depth that the check of depths refuses. */
function tooDeep(value: unknown): Read {
  return { value, wire: null, json: value };
}

function isNothing(value: unknown): boolean {
  return value === undefined || typeof value === 'function' || typeof value === 'symbol';
}

/** Any object that the driver would store field by field. */
function isFields(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || isBsonValue(value)) return false;
  return !types.isDate(value) && !types.isRegExp(value) && !types.isUint8Array(value) && !types.isMap(value);
}

/** Like the driver: an object that says how it is stored (a Mongoose document or array) is taken at its word. */
function asPlain(value: object): unknown {
  return 'toBSON' in value && typeof value.toBSON === 'function'
    ? (value.toBSON as () => unknown).call(value)
    : value;
}
