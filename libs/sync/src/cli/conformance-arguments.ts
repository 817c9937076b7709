import { InvalidArgumentError } from 'commander';
import type { AppWrite, PatchFields, Template } from 'nest-offline-sync-conformance';

/** Collects an option that may be given several times. */
export function each<T>(parse: (value: string) => T) {
  return (value: string, before: readonly T[] = []): readonly T[] => [...before, parse(value)];
}

export function template(value: string): Template {
  const parsed = objectOf(value);
  if (!value.includes('{marker}'))
    throw new InvalidArgumentError('One of its strings must hold {marker}: {"title":"{marker}"}.');
  return parsed;
}

export function idKind(value: string): 'text' | 'objectid' {
  if (value !== 'text' && value !== 'objectid') throw new InvalidArgumentError('It is text or objectid.');
  return value;
}

/** `POST /orders {"note":"{marker}"}` */
export function appWrite(value: string): AppWrite {
  const [, method, path, body] = /^([A-Za-z]+)\s+(\/\S*)\s+(\{.*\})$/s.exec(value.trim()) ?? [];
  if (method === undefined || path === undefined || body === undefined)
    throw new InvalidArgumentError('It looks like: POST /orders {"note":"{marker}"}.');
  return { method: method.toUpperCase(), path, body: template(body) };
}

/** `{"count":"visits","list":"tags","optional":"due"}`, each of them where the collection has one. */
export function patchFields(value: string): PatchFields {
  const fields = objectOf(value);
  const known = ['count', 'list', 'optional'];
  for (const [name, path] of Object.entries(fields))
    if (!known.includes(name) || typeof path !== 'string' || path === '')
      throw new InvalidArgumentError(
        'It names fields that patches may change: {"count":"visits","list":"tags","optional":"due"}.',
      );
  return fields;
}

/** A whole number from 1 on. */
export function count(value: string): number {
  const parsed = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(parsed) || parsed < 1)
    throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return parsed;
}

function objectOf(value: string): Template {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new InvalidArgumentError('It is no JSON.');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new InvalidArgumentError('It must be a JSON object.');
  return parsed as Template;
}
