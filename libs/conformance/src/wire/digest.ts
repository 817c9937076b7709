import { createHash } from 'node:crypto';

/** A JSON value as text, keys of objects sorted: two documents are equal when these texts are. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join()}}`;
}

/** 16 characters that differ when two documents do; null for no document. */
export function digestOf(data: unknown): string | null {
  if (data === null || data === undefined) return null;
  return createHash('sha256').update(canonical(data)).digest().toString('base64url', 0, 12);
}
