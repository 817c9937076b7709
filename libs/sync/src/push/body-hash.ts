import { createHash } from 'node:crypto';
import type { PushChange } from '../protocol/push';
import { isObject } from '../protocol/json';

/**
 * A hash of what a change asks for, the same for every order of keys: a client that builds its JSON anew for a retry
 * still sends the same mutation.
 */
export function bodyHash(change: PushChange): string {
  const { collection, operation, doc_id, data, parent_version, hlc } = change;
  return createHash('sha256')
    .update(JSON.stringify([collection, operation, doc_id, parent_version, hlc, sorted(data)]))
    .digest('base64url');
}

/** Only called for data whose depth has been checked. Objects become arrays of pairs, so no key is special. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return {
    o: Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  };
}

/** Whether objects and arrays go at most `depth` levels into one another. Never looks further down than that. */
export function isWithinDepth(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  const items: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return items.every((item) => isWithinDepth(item, depth - 1));
}
