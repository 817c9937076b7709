import { isObject, type Json, type JsonObject } from '../protocol/json';

/**
 * The data without the fields that are missing from `kept`: what a whitelist left of the same data in another form.
 * Values are those of `data`, never those of `kept`, whose types may differ.
 */
export function stripUnknown(data: JsonObject, kept: object): JsonObject {
  const fields = Object.entries(data)
    .filter(([key]) => Object.hasOwn(kept, key))
    .map(([key, value]) => [key, stripValue(value, (kept as Record<string, unknown>)[key])] as const);
  return Object.fromEntries(fields);
}

function stripValue(value: Json, kept: unknown): Json {
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    return Array.isArray(kept) && kept.length === items.length
      ? items.map((item, index) => stripValue(item, kept[index]))
      : items;
  }
  return isObject(value) && isFields(kept) ? stripUnknown(value, kept) : value;
}

/** An object that holds fields; a Map or a Date made of an object says nothing about unknown ones. */
function isFields(value: unknown): value is object {
  return isObject(value) && Object.prototype.toString.call(value) === '[object Object]';
}
