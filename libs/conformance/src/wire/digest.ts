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

const WHOLE = 1n << 128n;

/** A row or an entry, as its document counts in a digest. */
export interface Counted {
  readonly collection: string;
  readonly docId: string;
  readonly version: string;
  readonly numericId?: true;
}

/** The number of a document in a scope's digest: docs/protocol.md, "Digest". */
export function numberOf({ collection, docId, version, numericId }: Counted): bigint {
  const text = JSON.stringify([collection, numericId ? Number(docId) : docId, version]);
  return BigInt(`0x${createHash('sha256').update(text).digest('hex').slice(0, 32)}`);
}

/** The sum of documents' numbers as a digest shows it. */
export function hashOf(numbers: readonly bigint[]): string {
  const sum = numbers.reduce((total, number) => total + number, 0n) % WHOLE;
  return sum.toString(16).padStart(32, '0');
}
