import mongoose, { type mongo } from 'mongoose';
import type { WriteFailure } from './refused-write';

/** How many documents a write has inserted or found, and what has stopped it: a transaction is gone then. */
export interface WriteReport {
  readonly count: number;
  readonly failure?: WriteFailure;
}

/** An update as the database's own command has it. */
export interface UpdateStatement {
  readonly q: mongo.Document;
  readonly u: mongo.Document;
}

interface WriteReply {
  readonly n?: number;
  readonly writeErrors?: readonly {
    readonly index: number;
    readonly code: number;
    readonly errmsg?: string;
    readonly keyPattern?: Readonly<Record<string, unknown>>;
  }[];
}

/** The options of {@link nativeCollection} that concern writing: the host's client may have others. */
const WRITTEN_AS_IS = {
  ignoreUndefined: true,
  serializeFunctions: false,
  readPreference: 'primary',
} as const;

/**
 * Inserts documents inside a transaction by the database's `insert` command itself. The driver's bulk API would go
 * over each document once more for its size, and make an id and a result for each: a third of a batch's work.
 *
 * @param sizeAt about how many characters the document at an index has as JSON: a command holds 16 MB
 * @throws the driver's errors, with their labels; an oversize document as the driver's bulk API does
 */
export function insertAll(
  { db, name }: Target,
  documents: readonly object[],
  sizeAt: (index: number) => number,
  session: mongo.ClientSession,
): Promise<WriteReport> {
  return inCommands(documents, sizeAt, (piece) =>
    run(db, { insert: name, documents: piece, ordered: true }, session),
  );
}

/** The same for updates, by the `update` command; `count` is how many documents their filters have found. */
export function updateAll(
  { db, name }: Target,
  updates: readonly UpdateStatement[],
  sizeAt: (index: number) => number,
  session: mongo.ClientSession,
): Promise<WriteReport> {
  return inCommands(updates, sizeAt, (piece) =>
    run(db, { update: name, updates: piece, ordered: true }, session),
  );
}

/** A collection by name: commands are the database's. */
export interface Target {
  readonly db: mongo.Db;
  readonly name: string;
}

async function inCommands<T extends object>(
  statements: readonly T[],
  sizeAt: (index: number) => number,
  send: (piece: readonly T[]) => Promise<WriteReply>,
): Promise<WriteReport> {
  let count = 0;
  for (const { start, end } of inPieces(statements.length, sizeAt)) {
    const piece = statements.slice(start, end);
    if (piece.length === 1 && sizeAt(start) > SURELY_SMALL) checkSize(piece[0] as T);
    const { n = 0, writeErrors: [first] = [] } = await send(piece);
    count += n;
    if (!first) continue;
    const { index, code, errmsg: message = '', keyPattern = {} } = first;
    return { count, failure: { index: start + index, code, message, keyPattern } };
  }
  return { count };
}

function run(db: mongo.Db, command: mongo.Document, session: mongo.ClientSession): Promise<WriteReply> {
  return db.command(command, { ...WRITTEN_AS_IS, session });
}

/** MongoDB's bound on one document. */
export const LARGEST_BSON = 16 << 20;
/** Below this many characters of JSON no document can reach it, not even a list of empty lists. */
const SURELY_SMALL = LARGEST_BSON / 16;

/** A command that is too large for its message would not be refused, but end the connection. */
function checkSize(statement: object): void {
  if (mongoose.mongo.BSON.calculateObjectSize(statement) > LARGEST_BSON)
    throw new mongoose.mongo.MongoInvalidArgumentError('A document is larger than MongoDB takes');
}

/** About how much JSON one command may carry, in characters: BSON can be 14 times as large, and a command holds 16 MB. */
const PIECE_CHARS = 1 << 20;

/** Items from `start` on, `end` not included. */
export interface Piece {
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts a list into runs that fit into one command each, in their order. A larger item makes its own run.
 *
 * @param count of the items
 * @param sizeAt about how many characters the item at an index has as JSON
 */
export function* inPieces(count: number, sizeAt: (index: number) => number): Generator<Piece> {
  let start = 0;
  let chars = 0;
  for (let index = 0; index < count; index++) {
    const size = sizeAt(index);
    if (index > start && chars + size > PIECE_CHARS) {
      yield { start, end: index };
      start = index;
      chars = 0;
    }
    chars += size;
  }
  if (count > start) yield { start, end: count };
}
