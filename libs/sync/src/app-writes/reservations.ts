import type { mongo } from 'mongoose';
import { SyncError, ZERO_VERSION } from 'nest-offline-sync-protocol';
import { TransientSyncError } from '../database/transaction';
import { transactionOf } from './caller-session';

/** Transient: the caller's transaction is run again, and reserves a new version. */
export class ReservedVersionPassed extends TransientSyncError {}

/** Which versions open transactions were promised, so that a lost race can be told from a mistake. */
export class Reservations {
  private readonly promised = new WeakMap<object, Set<string>>();
  private readonly refused = new WeakMap<mongo.ClientSession, string>();

  promise(session: mongo.ClientSession, version: string): void {
    const transaction = transactionOf(session);
    const versions = this.promised.get(transaction);
    if (versions) versions.add(version);
    else this.promised.set(transaction, new Set([version]));
  }

  /**
   * A version that others have passed is retried with a new one. Two mistakes would be retried forever: to record in
   * another order than the versions were reserved in, and to come back with a version drawn before the retries.
   *
   * @param headVersion the newest version of the scope, as the transaction has it
   * @throws ReservedVersionPassed, SyncError `stale_version`
   */
  check(session: mongo.ClientSession, reserved: string, headVersion = ZERO_VERSION): void {
    if (reserved > headVersion) return;
    if (this.promised.get(transactionOf(session))?.has(reserved))
      throw new SyncError(
        'stale_version',
        'Changes must be recorded in the order in which buildSyncMetadata reserved their versions; build the metadata of a change just before it is recorded.',
      );
    if (this.refused.get(session) === reserved)
      throw new SyncError(
        'stale_version',
        'The same version came again after another change had passed it; call buildSyncMetadata inside the transaction, so that a retry builds it again.',
      );
    this.refused.set(session, reserved);
    throw new ReservedVersionPassed(
      'The reserved version is no longer above the scope head: another change came first',
    );
  }
}
