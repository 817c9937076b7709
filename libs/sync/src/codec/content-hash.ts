import { hash } from 'node:crypto';
import type { StoredDocument } from './stored-document';
import { encodeDocument } from './wire-codec';

/** Of a tombstone, whatever is written on top of it. */
export const TOMBSTONE_HASH = 'deleted';

/**
 * Stands for a document's content: all its fields but `_id` and `_sync_*`. It knows no schema, so that a new schema makes no
 * document look like another one.
 *
 * @param document null for a tombstone
 */
export function contentHash(document: StoredDocument | null): string {
  if (document === null) return TOMBSTONE_HASH;
  const text = JSON.stringify(encodeDocument(document));
  return hash('sha256', text, 'base64url').slice(0, 22);
}
