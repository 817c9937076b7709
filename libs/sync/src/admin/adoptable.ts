import type { Rejection } from 'nest-offline-sync-protocol';
import type { SyncedCollection } from '../collections/collection';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import { readField } from '../identity/identity';
import { scopeIn } from '../plan/foreign';
import { whyNotIn } from '../plan/observed';

/** The scope that a document of the app is taken into, or why it cannot be. */
export type Adoptable =
  { readonly ok: true; readonly scopeId: string } | { readonly ok: false; readonly rejection: Rejection };

/**
 * What can be told of a document by itself. The schema and the database's own indexes are asked afterwards.
 *
 * @param bytes of the document as BSON
 */
export function adoptable(
  document: StoredDocument,
  scopeField: string,
  collection: Pick<SyncedCollection, 'ids' | 'name' | 'livesIn'>,
  bytes: number,
): Adoptable {
  if ((document[SYNC_FIELDS.scope] ?? null) !== null) return refused('scope_missing', ALREADY);
  const scopeId = scopeIn(document, scopeField);
  if (scopeId === undefined) return refused('scope_missing', whyNoScope(document, scopeField));
  const rejection = whyNotIn(scopeId, collection, document['_id']);
  if (rejection) return { ok: false, rejection };
  if (bytes > MOST_BYTES)
    return refused('document_too_large', 'with the fields of sync it would be larger than MongoDB takes');
  return { ok: true, scopeId };
}

/** MongoDB takes 16 MiB; the engine's fields, and the log entry around the same content, need the rest. */
const MOST_BYTES = (16 << 20) - (16 << 10);

const ALREADY = `${SYNC_FIELDS.scope} is there already and is no text: remove it, or set the one scope`;

function whyNoScope(document: StoredDocument, scopeField: string): string {
  const value = readField(document, scopeField) ?? null;
  if (value === null) return `${scopeField} is missing`;
  return Array.isArray(value)
    ? `${scopeField} names several scopes: a document is in one`
    : `${scopeField} is no scope: it must be a text, a whole number or an ObjectId`;
}

function refused(code: Rejection['code'], message: string): Adoptable {
  return { ok: false, rejection: { code, message } };
}
