import { isCopied, unlessCopied } from '../codec/copied-document';
import { isSyncField, SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import { scopeIn } from '../plan/foreign';

/** An event of MongoDB's change stream, with the fields that are asked for. */
export interface ChangeEvent {
  /** The stream's token. */
  readonly _id: unknown;
  readonly operationType: string;
  readonly ns?: { readonly coll?: string };
  /** Of a rename: what it is called from now on. */
  readonly to?: { readonly coll?: string };
  readonly documentKey?: { readonly _id: StoredId };
  /** When it was written, by the server's clock. */
  readonly wallTime?: Date;
  /** Missing: the collection keeps no pre-images. */
  readonly fullDocumentBeforeChange?: StoredDocument | null;
  readonly fullDocument?: StoredDocument | null;
  readonly updateDescription?: {
    readonly updatedFields?: StoredDocument;
    readonly removedFields?: readonly string[];
  } | null;
  /** Of an update: it has written fields of the app. */
  readonly touchesContent?: boolean;
}

/** What an event tells of a document that was written past the engine. */
export interface ForeignWrite {
  readonly kind: 'write';
  readonly collection: string;
  readonly storedId: StoredId;
  readonly isDelete: boolean;
  /** The document before; undefined: it was not there, or nobody can tell. */
  readonly before: StoredDocument | undefined;
  /** There was one, and MongoDB has not kept it. */
  readonly isBlind: boolean;
  /** It was in a scope, and this write has changed the field that names one. Undefined `to`: it names none any more. */
  readonly moved: { readonly to: string | undefined } | undefined;
}

/** `own`: the engine's. `unclear`: documents of these collections, or of all, are gone, and it does not tell which. */
export type Told =
  | ForeignWrite
  | { readonly kind: 'own' }
  | { readonly kind: 'unclear'; readonly collections: readonly string[] | 'all' };

const OWN: Told = { kind: 'own' };

/**
 * Whose write an event is. The engine's own ones are known by the version, which they alone move, and always upwards; so
 * what is written back from an old copy is somebody else's.
 *
 * @param scopeFieldOf the field that names the scope of a collection's documents, if it has one
 */
export function tell(event: ChangeEvent, scopeFieldOf: (collection: string) => string | undefined): Told {
  const { operationType, ns, to, documentKey, updateDescription } = event;
  const collection = ns?.coll;
  const scopeField = collection === undefined ? undefined : scopeFieldOf(collection);
  const before = beforeOf(event, scopeField);
  const unclear: Told = {
    kind: 'unclear',
    collections:
      collection === undefined ? 'all' : [collection, ...(to?.coll === undefined ? [] : [to.coll])],
  };
  if (collection === undefined || !documentKey) return unclear;
  const write = (isDelete: boolean): Told => ({
    kind: 'write',
    collection,
    storedId: documentKey._id,
    isDelete,
    before,
    isBlind: before === undefined && operationType !== 'insert',
    moved: isDelete ? undefined : moveIn(event, before, scopeField),
  });
  const isAbove = (fields: StoredDocument = {}): boolean => {
    const version = versionOf(fields);
    return version !== undefined && version > (versionOf(before) ?? '') && !isCopied(fields, documentKey._id);
  };
  switch (operationType) {
    case 'insert':
    case 'replace':
      return isAbove(event.fullDocument ?? undefined) ? OWN : write(false);
    case 'update': {
      const { updatedFields = {}, removedFields = [] } = updateDescription ?? {};
      const isOwn =
        isAbove(updatedFields) ||
        Object.hasOwn(updatedFields, SYNC_FIELDS.lock) ||
        // A document that leaves its scope loses the engine's fields, and nothing else of it changes.
        (event.touchesContent !== true && removedFields.length > 0 && removedFields.every(isSyncField));
      return isOwn ? OWN : write(false);
    }
    case 'delete':
      if (!before) return unclear;
      // Old tombstones are removed by the engine; what was never synced is nobody's loss.
      return before[SYNC_FIELDS.deleted] === true || scopeOf(before) === undefined ? OWN : write(true);
    default:
      return unclear;
  }
}

function beforeOf(
  { fullDocumentBeforeChange: before, documentKey }: ChangeEvent,
  scopeField: string | undefined,
): StoredDocument | undefined {
  return before ? unlessCopied(before, scopeField, documentKey?._id) : undefined;
}

/** Only the event itself tells who has changed the field: what the document has by now may be a device's. */
function moveIn(
  event: ChangeEvent,
  before: StoredDocument | undefined,
  scopeField: string | undefined,
): ForeignWrite['moved'] {
  if (scopeField === undefined || (before && scopeOf(before) === undefined)) return undefined;
  const after = namedAfter(event, scopeField);
  // Without the document before, an update alone says what it has written.
  if (!before) return event.operationType === 'update' && after ? { to: after.scope } : undefined;
  return !after || after.scope === scopeIn(before, scopeField) ? undefined : { to: after.scope };
}

/** The scope that the field names after the event; undefined: the event has not touched it. */
function namedAfter(
  { operationType, fullDocument, updateDescription }: ChangeEvent,
  scopeField: string,
): { readonly scope: string | undefined } | undefined {
  if (operationType !== 'update') return { scope: scopeIn(fullDocument ?? {}, scopeField) };
  const { updatedFields = {}, removedFields = [] } = updateDescription ?? {};
  const steps = scopeField.split('.');
  for (let length = steps.length; length > 0; length--) {
    const path = steps.slice(0, length).join('.');
    if (removedFields.includes(path)) return { scope: undefined };
    if (!Object.hasOwn(updatedFields, path)) continue;
    const rest = ['value', ...steps.slice(length)].join('.');
    return { scope: scopeIn({ value: updatedFields[path] }, rest) };
  }
  return undefined;
}

const VERSION_BEFORE = `$fullDocumentBeforeChange.${SYNC_FIELDS.version}`;
const UPDATED = { $ifNull: ['$updateDescription.updatedFields', {}] };
const REMOVED = { $ifNull: ['$updateDescription.removedFields', []] };

/**
 * An expression of MongoDB that is true of events that are surely the engine's own: {@link tell} says the same of each, by the
 * same fields. So the server sends none of them.
 */
export function surelyOwn(): object {
  const isText = (field: string): object => ({ $eq: [{ $type: field }, 'string'] });
  const before = { $cond: [isText(VERSION_BEFORE), VERSION_BEFORE, ''] };
  const isAbove = (of: string): object => {
    const version = `${of}.${SYNC_FIELDS.version}`;
    const owner = { $ifNull: [`${of}.${SYNC_FIELDS.owner}`, '$documentKey._id'] };
    return { $and: [isText(version), { $gt: [version, before] }, { $eq: [owner, '$documentKey._id'] }] };
  };
  const isOf = (...types: string[]): object => ({ $in: ['$operationType', types] });
  const fields = Object.values(SYNC_FIELDS);
  const isTakenOrFreed = {
    $or: [
      { $eq: [UPDATED, { [SYNC_FIELDS.lock]: true }] },
      { $and: [{ $eq: [UPDATED, {}] }, { $ne: [REMOVED, []] }, { $setIsSubset: [REMOVED, fields] }] },
    ],
  };
  return {
    $or: [
      { $and: [isOf('insert', 'replace'), isAbove('$fullDocument')] },
      {
        $and: [isOf('update'), { $or: [isAbove('$updateDescription.updatedFields'), isTakenOrFreed] }],
      },
    ],
  };
}

/** The fields of events that are needed. @param scopeFields of the captured collections */
export function projection(scopeFields: readonly string[]): Record<string, object | 1> {
  const { scope, version, owner, deleted, lock } = SYNC_FIELDS;
  const before = [scope, version, owner, deleted, ...scopeFields];
  const after = [version, owner, lock, ...scopeFields];
  // A dotted path is one name there, by which nothing can be picked.
  const isDotted = scopeFields.some((field) => field.includes('.'));
  const fields = [
    ...['operationType', 'ns', 'to', 'documentKey', 'wallTime', 'updateDescription.removedFields'],
    ...[version, owner, ...scopeFields].map((field) => `fullDocument.${field}`),
    ...before.map((field) => `fullDocumentBeforeChange.${field}`),
    ...(isDotted ? [''] : after.map((field) => `.${field}`)).map(
      (field) => `updateDescription.updatedFields${field}`,
    ),
  ];
  const touchesContent = { $ne: [UPDATED, {}] };
  return { ...Object.fromEntries(fields.map((field) => [field, 1 as const])), touchesContent };
}

/** All that a batch of events tells of one document. */
export interface Seen {
  readonly collection: string;
  readonly storedId: StoredId;
  /** Where the last of the writes that moved it has put it. */
  readonly moved: ForeignWrite['moved'];
  /** The scope that it was in last. */
  readonly scopeId: string | undefined;
  /** Those that it was in before one of the events. */
  readonly scopes: ReadonlySet<string>;
  /** The newest version that it had before one of the events. */
  readonly since: string | undefined;
  readonly isGone: boolean;
}

/** What the events of a document say together. */
export function joined(earlier: Seen | undefined, write: ForeignWrite): Seen {
  const { collection, storedId, before, isDelete, moved } = write;
  const version = versionOf(before);
  const since = earlier?.since;
  const scopeId = scopeOf(before);
  return {
    collection,
    storedId,
    moved: moved ?? earlier?.moved,
    scopeId: scopeId ?? earlier?.scopeId,
    scopes: new Set([...(earlier?.scopes ?? []), ...(scopeId === undefined ? [] : [scopeId])]),
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
