import { isDeepStrictEqual } from 'node:util';
import { isSyncField, SYNC_FIELDS, type StoredDocument, type StoredId } from './stored-document';

/**
 * Whether the engine's fields in a document are those of another one: the app has made it, or filled it, from a copy that had
 * them. Nothing that they say is true of it. Where the owner is not known (it was stored before owners were, or the collection is
 * not captured), it is taken to be the document itself.
 *
 * @param id of the document, where it is not among the fields
 */
export function isCopied(document: StoredDocument, id: StoredId = document['_id']): boolean {
  const owner = document[SYNC_FIELDS.owner];
  return owner !== undefined && owner !== id && !isDeepStrictEqual(owner, id);
}

/**
 * A document as the engine has to take it: a copied one as if it had never been synced. Where no field of it names a scope, it is
 * in the one that it was copied with, and nothing was recorded of it.
 *
 * @param scopeField that names the scope of such a document
 */
export function unlessCopied(
  document: StoredDocument,
  scopeField: string | undefined,
  id: StoredId = document['_id'],
): StoredDocument {
  if (!isCopied(document, id)) return document;
  if (scopeField === undefined) return { ...document, [SYNC_FIELDS.hash]: NOTHING_RECORDED };
  return Object.fromEntries(
    Object.entries(document).filter(([key]) => !isSyncField(key) || key === SYNC_FIELDS.owner),
  );
}

/** The hash of no content. */
const NOTHING_RECORDED = '';
