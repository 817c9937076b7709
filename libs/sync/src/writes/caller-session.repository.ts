import type { mongo } from 'mongoose';
import { SyncError } from '../protocol/errors';

/** The part of the driver's session that its types leave out. */
interface OpenSession {
  readonly transaction?: { readonly options?: mongo.TransactionOptions };
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
