import { isDocId, SyncError, type DocId, type JsonObject } from 'nest-offline-sync-protocol';
import type { Collections, SyncedCollection } from '../collections/collection';
import { notADocument } from '../collections/answers';
import { isSyncField, type StoredDocument, type StoredId } from '../codec/stored-document';
import type { Prepared } from '../collections/collection';

/** An id as the app has it: the wire's, or the ObjectId or UUID of a document. */
export type AppDocId = DocId | { toHexString(): string };

/** The app's data, checked and cast. */
export type Cast = Extract<Prepared, { ok: true }>;

/** The document that a write of the app is about. */
export interface Target {
  readonly collection: SyncedCollection;
  readonly storedId: StoredId;
  readonly wireId: DocId;
}

/** @throws SyncError `unknown_collection`, `wrong_scope`, `invalid_doc_id` */
export function targetOf(
  collections: Collections,
  name: string,
  scopeId: string,
  docId: AppDocId | null | undefined,
): Target {
  const collection = collections.get(name);
  if (!collection)
    throw new SyncError(
      'unknown_collection',
      `Collection ${name} is not synced; give it in the collections option or by SyncModule.forFeature.`,
    );
  if (!collection.livesIn(scopeId))
    throw new SyncError(
      'wrong_scope',
      `Collection ${name} does not live in scopes of this kind; see its option scopes.`,
    );
  const asked = typeof docId === 'object' ? docId?.toHexString() : docId;
  const storedId = isDocId(asked) ? collection.ids.toStored(scopeId, asked) : undefined;
  if (storedId === undefined)
    throw new SyncError(
      'invalid_doc_id',
      `The id is not of the type that collection ${name} has as its _id.`,
    );
  return { collection, storedId, wireId: collection.ids.toWire(storedId) };
}

/**
 * The app's data, checked and cast by the collection's rules.
 *
 * @param data JSON, values of the schema, or a Mongoose document
 * @throws SyncError `invalid_data`, `validation_failed` and its like
 */
export async function castOrThrow(target: Target, data: unknown): Promise<Cast> {
  const cast = await target.collection.cast(target, asObject(data));
  if (!cast.ok) throw new SyncError(cast.rejection.code, cast.rejection.message);
  return cast;
}

/**
 * What the app's data makes of the document that stands, with the timestamps and the version key of a write.
 *
 * @throws SyncError `validation_failed` and its like
 */
export async function settleOrThrow(
  target: Target,
  cast: Cast,
  stored: StoredDocument | undefined,
): Promise<StoredDocument> {
  const { collection } = target;
  const current = stored && ownFields(stored);
  const settled = await collection.settle(target, cast, current);
  if (!settled.ok) throw new SyncError(settled.rejection.code, settled.rejection.message);
  const { form } = collection.rules;
  return form ? form.stamp(settled.document, current) : settled.document;
}

/** @throws SyncError `invalid_data` for what no document is */
export function asObject(data: unknown): JsonObject {
  const wrong = notADocument(data);
  if (wrong === undefined) return data as JsonObject;
  throw new SyncError('invalid_data', `data must be an object with the document's fields, not ${wrong}.`, {
    path: 'data',
  });
}

/** A stored document without its id and the engine's fields. */
export function ownFields(stored: StoredDocument): StoredDocument {
  const fields: StoredDocument = {};
  for (const key of Object.keys(stored)) if (key !== '_id' && !isSyncField(key)) fields[key] = stored[key];
  return fields;
}
