import { isDocId, type DocId } from 'nest-offline-sync-protocol';
import type { StoredId } from './stored-document';
import { encodeValue } from './wire-codec';
import { isObjectIdText, isUuidText } from './wire-forms';

/** How wire ids and stored ids belong together. Injective both ways (invariant 5). */
export interface IdCodec {
  /** The stored id, or undefined when this id can never stand in the collection. */
  toStored(scopeId: string, docId: DocId): StoredId | undefined;
  /** The id as clients see it. */
  toWire(storedId: StoredId): DocId;
}

/** What a collection's `_id` is. `free`: strings and numbers as they come, for collections without a schema. */
export type IdKind = 'string' | 'number' | 'objectId' | 'uuid' | 'free';

/** The constructors of the driver's id types. */
export interface IdTypes {
  readonly ObjectId: new (hex: string) => unknown;
  readonly UUID: new (text: string) => unknown;
}

/**
 * Stored id = wire id, by the type that the schema says. An ObjectId is made from 24 hex digits only (a
 * 12-character string is none), so no two wire ids meet in one stored id but for the case of hex digits, which the
 * wire shows in lower case.
 */
export function globalIds(kind: IdKind, bson: IdTypes): IdCodec {
  const read = readerOf(kind);
  const make: (id: DocId) => StoredId =
    kind === 'objectId'
      ? (id) => new bson.ObjectId(id as string)
      : kind === 'uuid'
        ? (id) => new bson.UUID(id as string)
        : (id) => id;
  return {
    toStored(_scopeId, docId) {
      const id = read(docId);
      return id === undefined ? undefined : make(id);
    },
    toWire: wireId,
  };
}

/**
 * Stored id = the JSON text of `[scope, id]`: injective over both, so two scopes can own the same id, and neither can
 * learn of the other's (invariant 5).
 */
export function scopedIds(kind: IdKind): IdCodec {
  const read = readerOf(kind);
  return {
    toStored(scopeId, docId) {
      const id = read(docId);
      return id === undefined ? undefined : JSON.stringify([scopeId, id]);
    },
    toWire(storedId) {
      return unscoped(storedId) ?? wireId(storedId);
    },
  };
}

/** The normal form of a wire id of this kind, or undefined when it is none. */
function readerOf(kind: IdKind): (docId: DocId) => DocId | undefined {
  switch (kind) {
    case 'string':
      return (id) => (typeof id === 'string' && isDocId(id) ? id : undefined);
    case 'number':
      return (id) => (typeof id === 'number' && isDocId(id) ? plainZero(id) : undefined);
    case 'objectId':
      return (id) => (isObjectIdText(id) ? id.toLowerCase() : undefined);
    case 'uuid':
      return (id) => (isUuidText(id) ? id.toLowerCase() : undefined);
    case 'free':
      return (id) => (!isDocId(id) ? undefined : typeof id === 'number' ? plainZero(id) : id);
  }
}

/** JSON writes -0 as 0, so they are one id. */
function plainZero(id: number): number {
  return id === 0 ? 0 : id;
}

/** Never throws: an id that only the app itself can have made (a compound one, say) is shown as its JSON text. */
function wireId(storedId: StoredId): DocId {
  if (typeof storedId === 'string') return storedId;
  const wire = encodeValue(storedId);
  return typeof wire === 'string' || typeof wire === 'number' ? wire : JSON.stringify(wire);
}

function unscoped(storedId: StoredId): DocId | undefined {
  if (typeof storedId !== 'string' || !storedId.startsWith('["')) return undefined;
  try {
    const pair = JSON.parse(storedId) as unknown;
    if (!Array.isArray(pair) || pair.length !== 2) return undefined;
    const id: unknown = pair[1];
    return isDocId(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
