import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';

/** An event of MongoDB's change stream, with the fields that are asked for. */
export interface ChangeEvent {
  /** The stream's token. */
  readonly _id: unknown;
  readonly operationType: string;
  readonly ns?: { readonly coll?: string };
  readonly documentKey?: { readonly _id: StoredId };
  /** Missing: the collection keeps no pre-images. */
  readonly fullDocumentBeforeChange?: StoredDocument | null;
  readonly fullDocument?: StoredDocument | null;
  readonly updateDescription?: {
    readonly updatedFields?: StoredDocument;
    readonly removedFields?: readonly string[];
  } | null;
}

/** What an event tells of a document that was written past the engine. */
export interface ForeignWrite {
  readonly kind: 'write';
  readonly collection: string;
  readonly storedId: StoredId;
  readonly isDelete: boolean;
  /** The document before; undefined: it was not there, or nobody can tell. */
  readonly before: StoredDocument | undefined;
}

/** `own`: the engine's. `unclear`: documents of the collection are gone, and it does not tell which. */
export type Told =
  | ForeignWrite
  | { readonly kind: 'own' }
  | { readonly kind: 'unclear'; readonly collection: string | undefined };

const OWN: Told = { kind: 'own' };

/**
 * Whose write an event is. The engine's own ones are known by the version, which they alone move, and always upwards; so
 * what is written back from an old copy is somebody else's.
 */
export function tell(event: ChangeEvent): Told {
  const { operationType, ns, documentKey, updateDescription } = event;
  const collection = ns?.coll;
  const before = event.fullDocumentBeforeChange ?? undefined;
  if (collection === undefined || !documentKey) return { kind: 'unclear', collection };
  const write = (isDelete: boolean): Told => ({
    kind: 'write',
    collection,
    storedId: documentKey._id,
    isDelete,
    before,
  });
  const isAbove = (version: unknown): boolean =>
    typeof version === 'string' && version > (versionOf(before) ?? '');
  switch (operationType) {
    case 'insert':
    case 'replace':
      return isAbove(event.fullDocument?.[SYNC_FIELDS.version]) ? OWN : write(false);
    case 'update': {
      const { updatedFields = {}, removedFields = [] } = updateDescription ?? {};
      const isOwn =
        isAbove(updatedFields[SYNC_FIELDS.version]) ||
        Object.hasOwn(updatedFields, SYNC_FIELDS.lock) ||
        removedFields.some((field) => field === SYNC_FIELDS.lock || field === SYNC_FIELDS.version);
      return isOwn ? OWN : write(false);
    }
    case 'delete':
      if (!before) return { kind: 'unclear', collection };
      // Old tombstones are removed by the engine; what was never synced is nobody's loss.
      return before[SYNC_FIELDS.deleted] === true || scopeOf(before) === undefined ? OWN : write(true);
    default:
      return { kind: 'unclear', collection };
  }
}

/** The fields of events that are needed. @param scopeFields of the captured collections */
export function projection(scopeFields: readonly string[]): Record<string, 1> {
  const before = [SYNC_FIELDS.scope, SYNC_FIELDS.version, SYNC_FIELDS.deleted, ...scopeFields];
  const fields = [
    ...['operationType', 'ns', 'documentKey', `fullDocument.${SYNC_FIELDS.version}`],
    ...before.map((field) => `fullDocumentBeforeChange.${field}`),
    `updateDescription.updatedFields.${SYNC_FIELDS.version}`,
    `updateDescription.updatedFields.${SYNC_FIELDS.lock}`,
    'updateDescription.removedFields',
  ];
  return Object.fromEntries(fields.map((field) => [field, 1]));
}

/** All that a batch of events tells of one document. */
export interface Seen {
  readonly collection: string;
  readonly storedId: StoredId;
  /** The oldest of the batch. */
  readonly before: StoredDocument | undefined;
  /** The scope that it was in last. */
  readonly scopeId: string | undefined;
  /** The newest version that it had before one of the events. */
  readonly since: string | undefined;
  readonly isGone: boolean;
}

/** What the events of a document say together. */
export function joined(earlier: Seen | undefined, write: ForeignWrite): Seen {
  const { collection, storedId, before, isDelete } = write;
  const version = versionOf(before);
  const since = earlier?.since;
  return {
    collection,
    storedId,
    before: earlier ? earlier.before : before,
    scopeId: scopeOf(before) ?? earlier?.scopeId,
    since: since === undefined || (version !== undefined && version > since) ? version : since,
    isGone: isDelete || earlier?.isGone === true,
  };
}

function versionOf(document: StoredDocument | undefined): string | undefined {
  return textAt(document, SYNC_FIELDS.version);
}

export function scopeOf(document: StoredDocument | undefined): string | undefined {
  return textAt(document, SYNC_FIELDS.scope);
}

function textAt(document: StoredDocument | undefined, field: string): string | undefined {
  const value = document?.[field];
  return typeof value === 'string' ? value : undefined;
}
