import { isIdIndex, uniqueIndexAdvice, type Collation, type ExistingIndex } from './indexes';

/** A collection as `listCollections` describes it. */
export interface ExistingCollection {
  readonly name: string;
  /** `collection`, `view` or `timeseries`. */
  readonly type?: string;
  readonly options?: {
    readonly capped?: boolean;
    readonly collation?: Collation;
    /** Of a clustered collection: MongoDB deletes its documents by their ids. */
    readonly expireAfterSeconds?: number;
  };
}

/** Why neither a log nor synced documents can live in such a collection, with the remedy. */
export function unfitKind({ name, type, options }: ExistingCollection): string | undefined {
  if (type === 'view')
    return `${name} is a view: nothing can be written to it. Sync the collection behind it`;
  if (type === 'timeseries')
    return `${name} is a time-series collection: it takes no transactions. Sync a plain collection, and copy from it what you measure`;
  if (options?.capped === true)
    return `${name} is a capped collection: it takes no transactions and drops documents by itself. Copy it into a plain collection ($out in mongosh), and rename that`;
  return undefined;
}

/** Why the engine's own records cannot live in this collection, with the remedy. */
export function unfitForEngine(
  collection: ExistingCollection,
  indexes: readonly ExistingIndex[],
): string | undefined {
  const { name, options } = collection;
  const kind = unfitKind(collection);
  if (kind !== undefined) return kind;
  if (options?.collation)
    return `${name} has a collation (${shown(options.collation)}): scopes and ids that it takes for equal would share their records. Make the collection without one`;
  const ttl = indexes.find(({ expireAfterSeconds }) => expireAfterSeconds !== undefined);
  if (ttl || options?.expireAfterSeconds !== undefined)
    return `${name} expires by itself (${ttl?.name ?? 'expireAfterSeconds'}): readers would miss changes without a word. Drop that; oplogTtlDays and receiptTtlDays say how long the engine keeps what. A log of fastapi-offline-sync is taken over by \`npx nest-offline-sync upgrade\``;
  return undefined;
}

/** What of a synced collection will hurt: a sentence each, with the remedy. */
export function collectionAdvice(
  { name, options = {} }: ExistingCollection,
  indexes: readonly ExistingIndex[],
  isCaptured = false,
): string[] {
  return [
    ...(isCaptured ? [] : expiryAdvice(name, options, indexes)),
    ...collationAdvice(name, options, indexes),
    ...uniqueIndexAdvice(name, indexes),
  ];
}

/** At most this many documents without a scope are looked for. */
export const UNSCOPED_LIMIT = 1000;

/** @param count up to {@link UNSCOPED_LIMIT} */
export function unscopedAdvice(name: string, count: number): string[] {
  if (count === 0) return [];
  const many = count < UNSCOPED_LIMIT ? String(count) : `${UNSCOPED_LIMIT} or more`;
  const documents = count === 1 ? 'document' : 'documents';
  return [
    `Collection ${name} holds ${many} ${documents} without a scope (_sync_scope_id is missing, or is no text): no device ` +
      `gets them. Take them in: npx nest-offline-sync adopt --collection ${name} --scope-field <field>, or ` +
      'SyncAdminService.adopt(); with scoped ids by tx.upsert() in sync.transaction(), and remove the old documents then.',
  ];
}

type Options = NonNullable<ExistingCollection['options']>;

function expiryAdvice(name: string, options: Options, indexes: readonly ExistingIndex[]): string[] {
  const remedy =
    'Devices do not hear of it, and keep the document. Drop the expiry, and delete what is old with tx.delete() of sync.transaction().';
  const ttl = indexes.filter(({ expireAfterSeconds }) => expireAfterSeconds !== undefined);
  return [
    ...ttl.map((index) => `The TTL index ${index.name} of ${name} makes MongoDB delete documents. ${remedy}`),
    ...(options.expireAfterSeconds === undefined
      ? []
      : [
          `The clustered collection ${name} has expireAfterSeconds: MongoDB deletes its documents. ${remedy}`,
        ]),
  ];
}

function collationAdvice(name: string, { collation }: Options, indexes: readonly ExistingIndex[]): string[] {
  const advice: string[] = [];
  if (folds(collation))
    advice.push(
      `Collection ${name} has the collation ${shown(collation)}: two text ids (and two scopes) that it takes for equal, ` +
        '"A1" and "a1" say, cannot both be there, and the second one is refused. Make the collection without a ' +
        'collation, and give it to the queries and indexes that need it.',
    );
  for (const index of indexes)
    if (index.unique && !isIdIndex(index) && '_id' in index.key && folds(index.collation))
      advice.push(
        `The unique index ${index.name} of ${name} has the collation ${shown(index.collation)}: two ids that it takes ` +
          'for equal, "A1" and "a1" say, are one for it, and the second document is refused. Make it without a ' +
          'collation, or without _id.',
      );
  return advice;
}

/** Whether texts that are not the same can be equal: case, accents, punctuation, leading zeros. */
function folds(collation: Collation | undefined): collation is Collation {
  if (!collation || collation.locale === 'simple') return false;
  const { strength = 3, alternate, numericOrdering } = collation;
  return strength < 3 || alternate === 'shifted' || numericOrdering === true;
}

function shown({ locale, strength }: Collation): string {
  return `{ locale: '${locale ?? ''}', strength: ${strength ?? 3} }`;
}
