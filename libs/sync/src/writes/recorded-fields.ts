import type { StoredDocument } from '../collections/collection';
import { encodeDocument, encodeValue } from '../collections/wire-codec';
import { SyncError } from '../protocol/errors';
import type { JsonObject } from '../protocol/json';
import { asObject, castOrThrow, ownFields, type Target } from './target';

/**
 * The fields of a recorded document: what the app gave, beside what is stored already, so that the log, a full resync
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
  if (!stored) return castOrThrow(target, data);
  const fields = ownFields(stored);
  const given = encodeDocument(asObject(data));
  const cast = await castPart(target, given, fields);
  const result = { ...fields };
  for (const key of Object.keys(cast)) {
    const isStored = Object.hasOwn(fields, key);
    if (!isStored || (Object.hasOwn(given, key) && !sameJson(given[key], encodeValue(fields[key]))))
      result[key] = cast[key];
  }
  return result;
}

/** The given fields beside the stored ones: validators see the whole document. */
async function castPart(target: Target, given: JsonObject, fields: StoredDocument): Promise<StoredDocument> {
  const alone = await target.collection.cast(target.wireId, given);
  if (alone.ok) return alone.document;
  const known: StoredDocument = {};
  for (const key of Object.keys(fields)) {
    if (Object.hasOwn(given, key)) continue;
    const field = { [key]: fields[key] };
    // A stored field that the schema no longer knows is no hindrance.
    if (alone.rejection.code === 'unknown_field' || !(await isUnknown(target, field)))
      Object.assign(known, field);
  }
  return castOrThrow(target, { ...known, ...given });
}

async function isUnknown({ collection, wireId }: Target, field: StoredDocument): Promise<boolean> {
  const cast = await collection.cast(wireId, asObject(field));
  return !cast.ok && cast.rejection.code === 'unknown_field';
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
