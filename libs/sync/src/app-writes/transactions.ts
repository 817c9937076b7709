import { AsyncLocalStorage } from 'node:async_hooks';
import { Inject, Injectable } from '@nestjs/common';
import type { Connection, mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import type { SyncIdentity } from '../identity/identity';
import { OplogRepository } from '../log/oplog';
import type { DriverCall } from '../database/driver-calls';
import { Turns } from '../database/waiting';
import { SYNC_CONNECTION } from '../options/tokens';
import { forbidCommit, isCommitted, isOf, requireMajority, requireOpenTransaction } from './caller-session';
import { ScopeHeads } from './scope-heads';
import { ScopeWriter, type Attempt } from './scope-writer';
import { OrdinaryWrites, type Caller } from './ordinary-writes';
import { notAwaited, runBody, SyncTransaction } from './sync-transaction';
import { failedBy, TransactionRunner } from './transaction-runner';

export interface SyncTransactionOptions {
  /**
   * A session with an open transaction of the app's: the body becomes part of it, and is committed or rolled back with
   * it. Default: the transaction of the engine's whose body the call is in, else one that the engine begins.
   */
  readonly session?: mongo.ClientSession | null;
}

/** A body that is running, and the one that it was called in. */
interface Running {
  readonly transaction: SyncTransaction;
  readonly attempt: Attempt;
  readonly identity: SyncIdentity;
  readonly around: Running | undefined;
}

/**
 * Which transaction a call of the app runs in: one that is open, or one that the engine begins.
 *
 * A body that joins runs once. Its writes stand in the open transaction at once, the head is moved at its end; the caller that
 * began the transaction commits it, and runs it again after a conflict. A body that throws fails the whole
 * transaction, also when its error is caught on the way: half of what it wrote must not be committed.
 */
@Injectable()
export class Transactions {
  private readonly running = new AsyncLocalStorage<Running>();
  /** By the app's session: the transaction before, to know by whether this one is another try. */
  private readonly before = new WeakMap<mongo.ClientSession, Attempt>();
  /** The bodies of each attempt that have not returned, the innermost last. */
  private readonly open = new WeakMap<Attempt, Running[]>();
  /** Bodies that join the same transaction of the app at the same time. */
  private readonly queues = new WeakMap<Attempt, Turns>();

  constructor(
    private readonly collections: CollectionRegistry,
    private readonly heads: ScopeHeads,
    private readonly writer: ScopeWriter,
    private readonly runner: TransactionRunner,
    private readonly ordinary: OrdinaryWrites,
    private readonly oplog: OplogRepository,
    @Inject(SYNC_CONNECTION) private readonly connection: Connection,
  ) {}

  /**
   * @throws SyncError `configuration` for a session that has no transaction to join, and where the call would wait for
   *   a transaction that waits for the call
   */
  async run<T>(
    identity: SyncIdentity,
    body: (tx: SyncTransaction) => Promise<T>,
    session?: mongo.ClientSession | null,
  ): Promise<T> {
    const open = session ? this.attemptOf(session, identity.scopeId) : this.current('sync.transaction');
    if (open) return this.queued(open, () => this.join(open, identity, body));
    return this.runner.run(identity.scopeId, (attempt) => this.runIn(attempt, identity, body));
  }

  /**
   * The attempt of the transaction whose body the call is in.
   *
   * @param call for the message
   * @throws SyncError `configuration` inside a transaction of the app's that the call knows nothing of: what it writes
   *   would stay when that one is rolled back
   */
  current(call: string): Attempt | undefined {
    const innermost = this.bodies().next().value?.attempt;
    const hidden = this.hidden();
    if (!hidden || hidden === innermost?.session) return innermost;
    throw new SyncError(
      'configuration',
      `${call} was called inside a transaction of the app without its session: what it writes would stay when that one is rolled back. Give it the session: { session }.`,
    );
  }

  /**
   * Refuses what would wait for a transaction that waits for it: by its async context, the call comes from a
   * transaction that holds the scope until it ends.
   *
   * @param session what the call itself runs in
   * @throws SyncError `configuration`
   */
  expectFree(scopeId: string, session?: mongo.ClientSession | null): void {
    const hidden = this.hidden();
    const around = [...this.bodies()].map(({ attempt }) => attempt);
    if (hidden) around.push(this.writer.attemptIn(hidden));
    if (!around.some((attempt) => attempt.session !== session && attempt.held.has(scopeId))) return;
    throw new SyncError(
      'configuration',
      'The call would wait for the transaction that it was made in, which holds the scope until it ends. Write through that transaction (tx, or { session }), or make the call after it.',
    );
  }

  /** The app's open transaction, looked at before anything is done in it. */
  attemptOf(session: mongo.ClientSession, scopeId: string): Attempt {
    requireOpenTransaction(session, this.oplog.client);
    requireMajority(session);
    this.expectFree(scopeId, session);
    return this.writer.attemptIn(session);
  }

  private async join<T>(
    attempt: Attempt,
    identity: SyncIdentity,
    body: (tx: SyncTransaction) => Promise<T>,
  ): Promise<T> {
    expectAlive(attempt);
    const isOutermost = !attempt.ours && ![...this.bodies()].some((outer) => outer.attempt === attempt);
    try {
      if (isOutermost) await this.lockAfterConflict(attempt);
      const result = await this.runIn(attempt, identity, body);
      expectAlive(attempt);
      if (isOutermost) await attempt.calls.run(() => this.heads.moveHeads(attempt.session, attempt.heads));
      return result;
    } catch (thrown) {
      throw fail(attempt, thrown);
    }
  }

  private runIn<T>(
    attempt: Attempt,
    identity: SyncIdentity,
    body: (tx: SyncTransaction) => Promise<T>,
  ): Promise<T> {
    const transaction = new SyncTransaction(attempt, identity, this.collections, this.writer);
    const running = { transaction, attempt, identity, around: this.running.getStore() };
    this.open.set(attempt, [...this.openIn(attempt), running]);
    const settle = (): Promise<void> => attempt.calls.run(() => this.ordinary.record(callerOf(running)));
    return this.running.run(running, () =>
      this.withSession(attempt.session, () => runBody(transaction, body, settle)),
    );
  }

  private openIn(attempt: Attempt): Running[] {
    return (this.open.get(attempt) ?? []).filter(({ transaction }) => transaction.isOpen);
  }

  /** Where Mongoose keeps the session for the calls inside, it finds it in a body too. */
  private withSession<T>(session: mongo.ClientSession, work: () => Promise<T>): Promise<T> {
    const storage = this.storage();
    return storage ? storage.run({ session }, work) : work();
  }

  /** One body after another, also when several were started at once: a session does one thing at a time. */
  private queued<T>(attempt: Attempt, run: () => Promise<T>): Promise<T> {
    for (const outer of this.bodies()) if (outer.attempt === attempt) return outer.transaction.enclose(run);
    let queue = this.queues.get(attempt);
    if (!queue) this.queues.set(attempt, (queue = new Turns(1)));
    return queue.run(run);
  }

  /**
   * A try after one that was not committed takes the heads first, those of the scopes that the other had: next to a
   * busy scope it would never get through otherwise.
   */
  private async lockAfterConflict(attempt: Attempt): Promise<void> {
    const before = this.before.get(attempt.session);
    if (before === attempt) return;
    this.before.set(attempt.session, attempt);
    if (!before || isCommitted(before.transaction)) return;
    for (const scopeId of [...before.scopes].sort()) await this.writer.lock(attempt, scopeId);
  }

  /**
   * Makes an ordinary call part of the body whose session it has: the innermost one that it is made in, or, where a queue
   * of the app's (a DataLoader, say) has lost that, the innermost one of the session.
   *
   * @returns undefined when the session is of no body: nothing was done
   * @throws SyncError `configuration` when the bodies have returned: nobody would record what it writes;
   *   `unrecorded_write` when nobody can
   */
  make(session: mongo.ClientSession, call: DriverCall): Promise<unknown> | undefined {
    const running = this.bodyOf(session);
    if (!running) return undefined;
    const parts = this.ordinary.partsOf(call);
    return running.transaction.inTurn(() => this.ordinary.make(callerOf(running), call, parts));
  }

  private bodyOf(session: mongo.ClientSession): Running | undefined {
    for (const running of this.bodies()) if (running.attempt.session === session) return running;
    const attempt = this.writer.attemptIn(session);
    if (!attempt.ours) return undefined;
    const innermost = this.openIn(attempt).at(-1);
    if (!innermost) throw notAwaited();
    return innermost;
  }

  /** Whether a call is made in a body. */
  isInBody(): boolean {
    return this.bodies().next().done !== true;
  }

  /** The bodies that the call is in and that have not returned, the innermost first. */
  private *bodies(): Generator<Running, undefined> {
    for (let running = this.running.getStore(); running; running = running.around)
      if (running.transaction.isOpen) yield running;
  }

  /** The session of `connection.transaction`, where Mongoose keeps it for the calls inside (`transactionAsyncLocalStorage`). */
  private hidden(): mongo.ClientSession | undefined {
    const session = this.storage()?.getStore()?.session;
    return session?.inTransaction() && isOf(session, this.oplog.client) ? session : undefined;
  }

  private storage(): AsyncLocalStorage<{ readonly session?: mongo.ClientSession }> | undefined {
    const { transactionAsyncLocalStorage: storage } = this.connection.base as unknown as {
      readonly transactionAsyncLocalStorage?: AsyncLocalStorage<{ readonly session?: mongo.ClientSession }>;
    };
    return storage;
  }
}

function callerOf({ transaction, attempt, identity }: Running): Caller {
  return { attempt, identity, owner: transaction };
}

/** Nothing of the transaction may be committed any more. Gives the error to go on with. */
function fail(attempt: Attempt, thrown: unknown): Error {
  const error = failedBy(attempt.lost, thrown) as Error;
  attempt.lost ??=
    error instanceof Error ? error : new Error('A joined body threw no error', { cause: error });
  if (!attempt.ours) forbidCommit(attempt.session, attempt.lost);
  return error;
}

/** What has ended a transaction may have been caught by the app's code since. */
function expectAlive({ lost }: Attempt): void {
  if (lost) throw lost;
}
