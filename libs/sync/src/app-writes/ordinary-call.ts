import type { mongo } from 'mongoose';
import { isObject } from 'nest-offline-sync-protocol';
import { SYNC_FIELDS } from '../codec/stored-document';

/** What one part of a call does: `one` of the documents that match, `many`, or new ones. */
export type Statement =
  | { readonly kind: 'insert' }
  | {
      readonly kind: 'one' | 'many';
      readonly filter: Fields;
      /** How the documents that it is about are found. */
      readonly options: mongo.FindOptions;
      /** It names its document by the `_id`. */
      readonly isById: boolean;
    };

type Fields = Readonly<Record<string, unknown>>;

/** Where a call of the driver has its options. */
const OPTIONS_AT: Readonly<Record<string, number>> = {
  insertOne: 1,
  insertMany: 1,
  bulkWrite: 1,
  updateOne: 2,
  updateMany: 2,
  replaceOne: 2,
  deleteOne: 1,
  deleteMany: 1,
  findOneAndUpdate: 2,
  findOneAndReplace: 2,
  findOneAndDelete: 1,
  aggregate: 1,
  initializeOrderedBulkOp: 0,
  initializeUnorderedBulkOp: 0,
};
const OPTIONS_OF_OTHERS = 1;

export function optionsOf(method: string, args: readonly unknown[]): Fields {
  return fields(args[OPTIONS_AT[method] ?? OPTIONS_OF_OTHERS]);
}

/**
 * What a call does, part by part; undefined for one of which nobody can tell which documents it changes.
 *
 * @param args of the driver's method
 */
export function statementsOf(method: string, args: readonly unknown[]): readonly Statement[] | undefined {
  const options = optionsOf(method, args);
  // The server gives the ids then, and tells nobody.
  if (options['forceServerObjectId'] === true) return undefined;
  switch (method) {
    case 'insertOne':
    case 'insertMany':
      return [{ kind: 'insert' }];
    case 'updateMany':
    case 'deleteMany':
      return [matching('many', args[0], options)];
    case 'updateOne':
    case 'replaceOne':
    case 'deleteOne':
    case 'findOneAndUpdate':
    case 'findOneAndReplace':
    case 'findOneAndDelete':
      return [matching('one', args[0], options)];
    case 'bulkWrite':
      return all(list(args[0]).map((operation) => operationOf(fields(operation), options)));
    default:
      return undefined;
  }
}

function operationOf(operation: Fields, shared: Fields): Statement | undefined {
  const [name = ''] = Object.keys(operation);
  const options = fields(operation[name]);
  const kind = OPERATIONS[name];
  if (kind === 'insert') return { kind };
  return kind && matching(kind, options['filter'], { ...shared, ...options });
}

const OPERATIONS: Readonly<Record<string, Statement['kind']>> = {
  insertOne: 'insert',
  updateOne: 'one',
  replaceOne: 'one',
  deleteOne: 'one',
  updateMany: 'many',
  deleteMany: 'many',
};

/** Options that say which documents a filter matches, and which of them comes first. */
const FINDING = ['collation', 'hint', 'let', 'sort', 'ignoreUndefined'];

function matching(kind: 'one' | 'many', given: unknown, options: Fields): Statement {
  const filter = fields(given);
  const some = Object.fromEntries(
    FINDING.filter((name) => options[name] !== undefined && options[name] !== null).map((name) => [
      name,
      options[name],
    ]),
  );
  return { kind, filter, options: some, isById: isId(filter['_id']) };
}

/** Whether a value in a filter is one id, and not a condition on ids. */
function isId(value: unknown): boolean {
  if (value === undefined || value === null || value instanceof RegExp) return false;
  return !isObject(value) || '_bsontype' in value || !Object.keys(value).some((key) => key.startsWith('$'));
}

type Matching = Exclude<Statement, { kind: 'insert' }>;

/** How many filters one read takes. */
const TOGETHER = 200;

/** Reads that find what some statements are about: those that name their documents by the `_id` go together. */
export function readsOf(statements: readonly Statement[]): Pick<Matching, 'filter' | 'options'>[] {
  const reads: Pick<Matching, 'filter' | 'options'>[] = [];
  const plain: Fields[] = [];
  for (const statement of statements) {
    if (statement.kind === 'insert') continue;
    const { filter, options, isById } = statement;
    const isPlain = isById && Object.keys(options).length === 0;
    if (isPlain && !Object.keys(filter).some((key) => key.startsWith('$'))) plain.push(filter);
    else reads.push({ filter, options });
  }
  for (let start = 0; start < plain.length; start += TOGETHER)
    reads.push({ filter: { $or: plain.slice(start, start + TOGETHER) }, options: {} });
  return reads;
}

/** The same filter for one of the documents that match it. */
export function pinned(filter: Fields, id: unknown): Fields {
  return Object.hasOwn(filter, '_id') ? { $and: [filter, { _id: id }] } : { ...filter, _id: id };
}

/** The arguments of a `findOneAnd…` with which the driver tells which document an upsert has made. */
export function tellingUpserts(method: string, args: readonly unknown[]): readonly unknown[] {
  if (!method.startsWith('findOneAnd')) return args;
  const told = [...args];
  told[OPTIONS_AT[method] ?? OPTIONS_OF_OTHERS] = { ...optionsOf(method, args), includeResultMetadata: true };
  return told;
}

/** What the caller gets of a call that was made by {@link tellingUpserts}. */
export function asAsked(method: string, args: readonly unknown[], result: unknown): unknown {
  if (!method.startsWith('findOneAnd')) return result;
  return optionsOf(method, args)['includeResultMetadata'] === true ? result : fields(result)['value'];
}

/** The ids of the documents that a call has made. */
export function newIds(result: unknown): unknown[] {
  const { insertedId, insertedIds, upsertedId, upsertedIds, lastErrorObject } = fields(result);
  return [
    insertedId,
    upsertedId,
    fields(lastErrorObject)['upserted'],
    ...Object.values(fields(insertedIds)),
    ...Object.values(fields(upsertedIds)),
  ].filter((id) => id !== undefined && id !== null);
}

/**
 * Whether all that a call writes has a version: the app has asked for it (`buildSyncMetadata`) and records the change
 * itself.
 */
export function carriesVersion(method: string, args: readonly unknown[]): boolean {
  switch (method) {
    case 'insertOne':
      return hasVersion(args[0]);
    case 'insertMany':
      return every(args[0], hasVersion);
    case 'updateOne':
    case 'updateMany':
    case 'replaceOne':
    case 'findOneAndUpdate':
    case 'findOneAndReplace':
      return hasVersion(args[1]);
    case 'bulkWrite':
      return every(args[0], (operation) => {
        const [inner] = Object.values(fields(operation)).map(fields);
        return [inner, inner?.['document'], inner?.['update'], inner?.['replacement']].some(hasVersion);
      });
    default:
      return false;
  }
}

function hasVersion(written: unknown): boolean {
  if (Array.isArray(written)) return written.some(hasVersion);
  const { $set, $setOnInsert, ...others } = fields(written);
  return [others, fields($set), fields($setOnInsert)].some((one) => SYNC_FIELDS.version in one);
}

function every(items: unknown, test: (item: unknown) => boolean): boolean {
  const some = list(items);
  return some.length > 0 && some.every(test);
}

function all<T>(items: readonly (T | undefined)[]): readonly T[] | undefined {
  return items.every((item) => item !== undefined) ? items : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
