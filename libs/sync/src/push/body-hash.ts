import { hash } from 'node:crypto';
import { isObject, type PushChange } from 'nest-offline-sync-protocol';

/** Begins each hash, so that it is never taken for one of {@link formerBodyHash}. */
const MARK = '2:';

/**
 * A hash of what a change asks for, the same for every order of keys: a client that builds its JSON again for a retry
 * still sends the same mutation. What only says when and on what it was edited (`hlc`, `parent_version`) does not count: a
 * retry may have found that out again.
 *
 * @param text the JSON of the change's data, where it is known
 */
export function bodyHash(
  { collection, operation, doc_id, data }: PushChange,
  text = JSON.stringify(data),
): string {
  return MARK + hashOf([collection, operation, doc_id], data, text);
}

/** The hash that receipts had before stamps were left out of it. */
export function formerBodyHash(change: PushChange, text = JSON.stringify(change.data)): string {
  const { collection, operation, doc_id, data, parent_version, hlc } = change;
  return hashOf([collection, operation, doc_id, parent_version, hlc], data, text);
}

/** Whether a receipt's hash is of the former kind. */
export function isFormerHash(hash: string): boolean {
  return !hash.startsWith(MARK);
}

function hashOf(request: readonly unknown[], data: PushChange['data'], text: string): string {
  const body = JSON.stringify(request) + (isSorted(data) ? text : JSON.stringify(sorted(data)));
  return hash('sha256', body, 'base64url');
}

/** Whether the keys stand in the order that {@link sorted} gives them. */
function isSorted(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isSorted);
  if (!isObject(value)) return true;
  let last = '';
  for (const key of Object.keys(value)) {
    if (key < last || !isSorted(value[key])) return false;
    last = key;
  }
  return true;
}

/** Only called for data whose depth has been checked. Objects without a prototype, so that no key is special. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const target = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(value).sort()) target[key] = sorted(value[key]);
  return target;
}

/** Whether objects and arrays go at most `depth` levels into one another. Never looks further down than that. */
export function isWithinDepth(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  const items: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return items.every((item) => isWithinDepth(item, depth - 1));
}
