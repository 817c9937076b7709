import { types } from 'node:util';
import { isObject, type Json, type JsonObject } from 'nest-offline-sync-protocol';

/**
 * The data that a DTO class has judged, in its wire form: with what its transformers changed (`@Transform`, `@Exclude`,
 * a renaming `@Expose`), without what its whitelist removed, and never with a type that JSON does not have: a Date, a
 * Map or a decimal that stands for a value of the data is that value.
 *
 * @param fresh an instance of the class made of nothing: its fields are defaults of the class, not the client's words
 */
export function judgedData(data: JsonObject, judged: object, fresh: object): JsonObject {
  const result: Record<string, Json> = {};
  for (const [key, value] of Object.entries(judged)) {
    const given = Object.hasOwn(data, key) ? data[key] : undefined;
    if (value === undefined) continue;
    if (given === undefined && Reflect.get(fresh, key) === value) continue;
    const field = judgedValue(given, value);
    if (field !== undefined) result[key] = field;
  }
  return result;
}

function judgedValue(given: Json | undefined, judged: unknown): Json | undefined {
  switch (typeof judged) {
    case 'string':
    case 'boolean':
      return judged;
    case 'number':
      return Number.isFinite(judged) ? judged : given;
    case 'object':
      return judged === null ? null : judgedObject(given, judged);
    default:
      return given;
  }
}

function judgedObject(given: Json | undefined, judged: object): Json | undefined {
  if (types.isDate(judged)) {
    const sameTime = typeof given === 'string' && new Date(given).getTime() === judged.getTime();
    return sameTime || Number.isNaN(judged.getTime()) ? given : judged.toISOString();
  }
  if (Array.isArray(judged)) {
    const items = Array.isArray(given) ? (given as readonly Json[]) : [];
    return judged.map((item, index) => judgedValue(items[index], item) ?? null);
  }
  if (!isFields(judged) || (given !== undefined && !isObject(given))) return given;
  return judgedData(given ?? {}, judged, {});
}

/** An object that holds fields; a Map made of an object says nothing about them. */
function isFields(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Object]' && !('toJSON' in value);
}
