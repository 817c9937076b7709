import { SyncError } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import { castOrThrow, ownFields, settleOrThrow, type Target } from './target';

/**
 * The fields of a recorded document: what the app gave and what is stored already, so that the log, a full resync
 * and the collection say the same (invariant 6). A field that was given as it is stored keeps its stored value and
 * type; a field that was not given is left alone, also by the schema's defaults and timestamps.
 *
 * @param data undefined or null: the document as it is stored
 * @throws SyncError `invalid_data` when there is neither; `validation_failed` and its like
 */
export async function recordedFields(
  target: Target,
  data: object | null | undefined,
  stored: StoredDocument | undefined,
): Promise<StoredDocument> {
  if (data === undefined || data === null) {
    if (stored) return ownFields(stored);
    throw new SyncError(
      'invalid_data',
      'The document is not stored, or is a tombstone, and no data was given: nothing to record.',
      { path: 'data' },
    );
  }
  const cast = await castOrThrow(target, data);
  if (!stored) return settleOrThrow(target, cast, undefined);
  const fields = ownFields(stored);
  const { form } = target.collection.rules;
  const { content, document } = cast;
  const composed =
    form && content ? form.compose(document, content, fields) : ({ ok: true, document } as const);
  if (!composed.ok) throw new SyncError(composed.rejection.code, composed.rejection.message);
  const given = content?.sent ?? document;
  const result = { ...fields };
  for (const key of Object.keys(composed.document))
    if (!Object.hasOwn(fields, key) || Object.hasOwn(given, key)) result[key] = composed.document[key];
  // Validators see the whole document.
  const verified = await target.collection.verify(target, result, fields);
  if (!verified.ok) throw new SyncError(verified.rejection.code, verified.rejection.message);
  return result;
}
