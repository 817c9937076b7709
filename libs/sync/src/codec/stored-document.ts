import { isObject } from 'nest-offline-sync-protocol';

/** A document as the driver gives it: BSON values, with `_id` and the four `_sync_*` fields. */
export type StoredDocument = Record<string, unknown>;
/** A value of `_id`: ObjectId, UUID, string or number. */
export type StoredId = unknown;

/** The fields that the engine keeps with each synced document, next to the app's own. */
export const SYNC_FIELDS = {
  version: '_sync_version',
  actor: '_sync_actor_id',
  scope: '_sync_scope_id',
  deleted: '_sync_deleted',
  /** The edit stamp of the last winner, when its client sent one. */
  hlc: '_sync_hlc',
  /** What the engine has last recorded of the content, where writes past it are looked for. */
  hash: '_sync_hash',
  /** Its own `_id`, where there is a hash: these fields are those of another document if they have another one's. */
  owner: '_sync_owner_id',
  /** Inside of a transaction only: nobody else writes a document that has it. */
  lock: '_sync_lock',
} as const;

export const SYNC_FIELD_PREFIX = '_sync_';

export function isSyncField(key: string): boolean {
  return key.startsWith(SYNC_FIELD_PREFIX);
}

/** A stored object that holds fields, not a value such as an ObjectId, a Date or a regular expression. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (!isObject(value) || '_bsontype' in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Sets a field under any name; a plain assignment to `__proto__` would make none. */
export function setField(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
