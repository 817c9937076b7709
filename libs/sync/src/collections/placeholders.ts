import { isObject } from '../protocol/json';

/**
 * Removes the empty objects that a model puts in the place of nested fields which were not given, as Mongoose's own
 * save does (`minimize`); empty objects that were given stay. Changes `result` in place.
 */
export function dropPlaceholders(result: Record<string, unknown>, given: unknown): void {
  const source = isObject(given) ? given : {};
  for (const key of Object.keys(result)) {
    const value = result[key];
    const origin = Object.hasOwn(source, key) ? source[key] : undefined;
    if (Array.isArray(value)) dropInside(value, origin);
    else if (isPlain(value)) {
      dropPlaceholders(value, origin);
      if (!isObject(origin) && Object.keys(value).length === 0) Reflect.deleteProperty(result, key);
    }
  }
}

function dropInside(items: readonly unknown[], origin: unknown): void {
  items.forEach((item, index) => {
    if (isPlain(item)) dropPlaceholders(item, Array.isArray(origin) ? origin[index] : undefined);
  });
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return isObject(value) && Object.getPrototypeOf(value) === Object.prototype;
}
