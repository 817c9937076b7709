import type { DocId } from '../protocol/change';

/** A document as the driver gives it: BSON values, with `_id` and the four `_sync_*` fields. */
export type StoredDocument = Record<string, unknown>;
/** A value of `_id`: ObjectId, UUID, string or number. */
export type StoredId = unknown;

/** A document's id in its two forms. */
export interface DocumentIds {
  readonly storedId: StoredId;
  readonly wireId: DocId;
}

/** How wire ids and stored ids belong together. Injective both ways (invariant 5). */
export interface IdCodec {
  /** The stored id, or undefined when this id can never stand in the collection. */
  toStored(scopeId: string, docId: DocId): StoredId | undefined;
  /** The id as clients see it. */
  toWire(storedId: StoredId): DocId;
}

/** The fields that the engine keeps with each synced document, beside the app's own. */
export const SYNC_FIELDS = {
  version: '_sync_version',
  actor: '_sync_actor_id',
  scope: '_sync_scope_id',
  deleted: '_sync_deleted',
  /** The edit stamp of the last winner, when its client sent one. */
  hlc: '_sync_hlc',
} as const;

export const SYNC_FIELD_PREFIX = '_sync_';

export function isSyncField(key: string): boolean {
  return key.startsWith(SYNC_FIELD_PREFIX);
}
