import { isObject, type Json, type JsonObject, type PatchBody } from 'nest-offline-sync-protocol';
import { InvalidEditError } from './errors.ts';
import type { Change } from './rules/mutation.ts';

const MARK = Symbol('patch operation');

/** What is done to a field in place of setting it. */
export interface Operation {
  readonly [MARK]: 'unset' | 'inc' | 'add' | 'remove';
  readonly value: Json;
}

/** Adds to a number, whatever others add meanwhile. A field that is missing counts as 0. */
export const inc = (by: number): Operation => ({ [MARK]: 'inc', value: by });
/** Puts values into a list, each once, whatever others put in meanwhile. */
export const add = (...values: Json[]): Operation => ({ [MARK]: 'add', value: values });
/** Takes values out of a list. */
export const remove = (...values: Json[]): Operation => ({ [MARK]: 'remove', value: values });
/** Takes a field away. */
export const unset = (): Operation => ({ [MARK]: 'unset', value: null });

/**
 * The fields of a patch: values to set (null sets null), or what {@link inc}, {@link add}, {@link remove} and {@link unset} give. A name with dots
 * is the way to a field of nested objects. A field that is undefined is left alone.
 */
export type Fields<T> = { readonly [K in keyof T]?: T[K] | null | Operation | undefined } & {
  readonly [path: `${string}.${string}`]: unknown;
};

/** @throws InvalidEditError if there is something in it that is not JSON */
export function patchOf(fields: Readonly<Record<string, unknown>>): Change {
  if (!isObject(fields) || !isPlain(fields))
    throw new InvalidEditError(
      'invalid_data',
      'A patch is an object with fields, or a function that gives one.',
    );
  const set: Record<string, Json> = {};
  const parts = {
    inc: {} as Record<string, number>,
    add: {} as Record<string, Json[]>,
    remove: {} as Record<string, Json[]>,
  };
  const unsets: string[] = [];
  for (const [path, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (!isOperation(value)) set[path] = json(value, path);
    else if (value[MARK] === 'unset') unsets.push(path);
    else (parts[value[MARK]] as Record<string, unknown>)[path] = json(value.value, path);
  }
  const patch: PatchBody = { set, unset: unsets.sort(), ...parts };
  if (
    Object.keys(set).length +
      unsets.length +
      Object.values(parts).flatMap((part) => Object.keys(part)).length ===
    0
  )
    throw new InvalidEditError(
      'invalid_data',
      'The patch names no field. Give at least one that is to be different.',
    );
  return { operation: 'patch', patch };
}

function isOperation(value: unknown): value is Operation {
  return isObject(value) && MARK in value;
}

/**
 * A copy that is JSON: without what is undefined, and with dates as texts.
 *
 * @throws InvalidEditError for what JSON does not have, instead of losing it silently
 */
export function jsonObject(value: object, path = ''): JsonObject {
  const copy: Record<string, Json> = {};
  for (const [key, each] of Object.entries(value))
    if (each !== undefined && !(path === '' && key === '_id'))
      copy[key] = json(each, path === '' ? key : `${path}.${key}`);
  return copy;
}

function json(value: unknown, path: string): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((each, index) => json(each, `${path}[${String(index)}]`));
  if (value instanceof Date && Number.isFinite(value.getTime())) return value.toISOString();
  if (isObject(value) && isPlain(value)) return jsonObject(value, path);
  throw new InvalidEditError(
    'invalid_data',
    `The field ${path} is no JSON (${typeof value}). Give texts, finite numbers, booleans, null, lists, plain objects, or a Date.`,
  );
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
