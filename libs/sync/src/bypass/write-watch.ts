import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Connection, mongo } from 'mongoose';
import { beforeCommit, isOf } from '../app-writes/caller-session';
import { carriesVersion, optionsOf } from '../app-writes/ordinary-call';
import { ScopeWriter } from '../app-writes/scope-writer';
import { Transactions } from '../app-writes/transactions';
import { CollectionRegistry } from '../collections/collection-registry';
import { listen, type DriverCall } from '../database/driver-calls';
import type { Bypass } from '../options/sync.options';
import type { SyncSettings } from '../options/settings';
import { SYNC_CONNECTION, SYNC_SETTINGS } from '../options/tokens';
import { noteEntries } from './mongoose-entries';
import { Notices, refusal, type PassingWrite } from './notices';

/**
 * Hears what the app writes to synced collections without the engine, in this process. A call with the session of a
 * sync.transaction becomes part of it; of any other it is noticed that devices will not hear of it, unless the
 * collection is captured or the app records the change itself.
 */
@Injectable()
export class WriteWatch implements OnApplicationShutdown {
  private readonly notices = new Notices();
  private readonly stop: () => void;
  /** By the app's transaction: the first write to each collection. */
  private readonly open = new WeakMap<object, Map<string, PassingWrite>>();

  constructor(
    @Inject(SYNC_CONNECTION) connection: Connection,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    private readonly collections: CollectionRegistry,
    private readonly transactions: Transactions,
    private readonly writer: ScopeWriter,
  ) {
    const stopNoting = noteEntries(connection, (name) => this.isNoticed(name));
    const stopHearing = listen({
      client: connection.getClient(),
      database: connection.name,
      isAbout: (name) => this.collections.optionsOf(name) !== undefined,
      hear: (call) => this.hear(call, connection.getClient()),
    });
    this.stop = () => {
      stopNoting();
      stopHearing();
    };
  }

  onApplicationShutdown(): void {
    this.stop();
  }

  private hear(call: DriverCall, client: mongo.MongoClient): unknown {
    try {
      const session = openSession(call, client);
      const made = session && this.transactions.make(session, call);
      if (made) return made;
      const how = this.bypassOf(call.collection);
      if (how !== 'off') {
        if (session) this.judgeAtCommit(call, session, how);
        else if (!carriesVersion(call.method, call.args)) this.judge(call, how);
      }
    } catch (error) {
      if (returnsAtOnce(call.method) || !(error instanceof Error)) throw error;
      return Promise.reject(error);
    }
    return call.proceed();
  }

  private isNoticed(name: string): boolean {
    return this.collections.optionsOf(name) !== undefined && this.bypassOf(name) !== 'off';
  }

  private bypassOf(name: string): Bypass {
    const { capture, bypass } = this.collections.optionsOf(name) ?? {};
    return capture === true ? 'off' : (bypass ?? this.settings.bypass);
  }

  private judge(call: DriverCall, how: Bypass): void {
    const met = this.notices.meet(call, how);
    if (!met) return;
    const write = { ...met, lacksSession: this.transactions.isInBody() };
    if (how === 'error') throw refusal(write);
    this.notices.warn(write);
  }

  /**
   * In a transaction of its own the app may record the change before the write or after it: at the commit it is known. A
   * transaction that has recorded something of the collection is taken at its word.
   */
  private judgeAtCommit(call: DriverCall, session: mongo.ClientSession, how: Bypass): void {
    const attempt = this.writer.attemptIn(session);
    const writes = this.open.get(attempt.transaction) ?? new Map<string, PassingWrite>();
    const write = writes.has(call.collection) ? undefined : this.notices.meet(call, how);
    if (!write) return;
    this.open.set(attempt.transaction, writes.set(call.collection, write));
    if (writes.size > 1) return;
    beforeCommit(session, () => {
      const passing = [...writes.values()].filter(({ collection }) => !attempt.recorded.has(collection));
      if (how !== 'error') for (const write of passing) this.notices.warn(write);
      const [first] = passing;
      return first && how === 'error' ? refusal(first) : undefined;
    });
  }
}

/** The session of a call, where it is the engine's client's, and in a transaction. */
function openSession(
  { client, method, args }: DriverCall,
  ours: mongo.MongoClient,
): mongo.ClientSession | undefined {
  const { session } = optionsOf(method, args) as { readonly session?: Partial<mongo.ClientSession> | null };
  if (client !== ours || typeof session?.inTransaction !== 'function') return undefined;
  const given = session as mongo.ClientSession;
  return given.inTransaction() && isOf(given, ours) ? given : undefined;
}

/** Methods that give a cursor or a builder, and no promise. */
function returnsAtOnce(method: string): boolean {
  return method === 'aggregate' || method.startsWith('initialize');
}
