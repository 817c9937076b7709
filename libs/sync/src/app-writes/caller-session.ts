import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { abortQuietly } from '../database/transaction';

/** The part of the driver's session that its types leave out. */
interface OpenSession {
  readonly client?: mongo.MongoClient;
  readonly transaction?: {
    readonly options?: mongo.TransactionOptions;
    readonly state?: string;
  };
}

/** Stands for one transaction: the driver makes a new one for each, also for each attempt of `withTransaction`. */
export function transactionOf(session: mongo.ClientSession): object {
  return (session as unknown as OpenSession).transaction ?? {};
}

/**
 * With a weaker write concern a failover could take back what readers have seen.
 *
 * @throws SyncError `weak_write_concern`
 */
export function requireMajority(session: mongo.ClientSession): void {
  const { w } = (session as unknown as OpenSession).transaction?.options?.writeConcern ?? {};
  if (w !== undefined && w !== 'majority')
    throw new SyncError(
      'weak_write_concern',
      "The transaction's write concern must be w: 'majority'; give it to startTransaction or withTransaction, or to the connection.",
    );
}

/** Whether a session is of this client: no other can carry its commands. */
export function isOf(session: mongo.ClientSession, client: mongo.MongoClient): boolean {
  return (session as unknown as OpenSession).client === client;
}

/** Whether a transaction of {@link transactionOf} has been committed. */
export function isCommitted(transaction: object): boolean {
  // The driver's own isCommitted is true of an aborted one as well.
  return String((transaction as OpenSession['transaction'])?.state).startsWith('TRANSACTION_COMMITTED');
}

/**
 * @param client of the engine's connection
 * @throws SyncError `configuration` for a session that a write cannot become part of
 */
export function requireOpenTransaction(session: mongo.ClientSession, client: mongo.MongoClient): void {
  if (typeof (session as Partial<mongo.ClientSession>).inTransaction !== 'function')
    throw misused('session must be a session of the MongoDB driver, as connection.startSession() gives it.');
  if (!isOf(session, client))
    throw misused('The session is of another connection than the one that SyncModule works on.');
  if (session.hasEnded) throw misused('The session has ended.');
  if (!session.inTransaction())
    throw misused(
      'The session has no open transaction to join. Call it inside session.withTransaction() or connection.transaction(), or leave the session out.',
    );
}

/** What is asked before a transaction is committed, by {@link transactionOf}; the first error that comes undoes it. */
const CHECKS = new WeakMap<object, (() => Error | undefined)[]>();
const ASKING = new WeakSet<mongo.ClientSession>();

/** The app's commit of the session's transaction undoes it and fails, where the check gives an error by then. */
export function beforeCommit(session: mongo.ClientSession, check: () => Error | undefined): void {
  const transaction = transactionOf(session);
  CHECKS.set(transaction, [...(CHECKS.get(transaction) ?? []), check]);
  if (ASKING.has(session)) return;
  ASKING.add(session);
  const commit = session.commitTransaction.bind(session);
  session.commitTransaction = async (...given) => {
    for (const asked of CHECKS.get(transactionOf(session)) ?? []) {
      const why = asked();
      if (!why) continue;
      await abortQuietly(session);
      throw asDriverExpects(why);
    }
    return commit(...given);
  };
}

/**
 * From here on the app cannot commit this transaction: its commit undoes it and fails. The app may have caught the
 * error of a body and gone on; and if the engine ended the transaction itself, `withTransaction` would take that for
 * the app's own wish and call it a success.
 */
export function forbidCommit(session: mongo.ClientSession, why: Error): void {
  beforeCommit(session, () => why);
}

/** `withTransaction` asks each error of a commit for its labels. */
function asDriverExpects(error: Error): Error {
  if (!('hasErrorLabel' in error))
    Object.defineProperty(error, 'hasErrorLabel', { value: () => false, configurable: true });
  return error;
}

function misused(message: string): SyncError {
  return new SyncError('configuration', message, { path: 'session' });
}
