import { randomUUID } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { mongo } from 'mongoose';
import { UnknownCommitError } from '../database/transaction';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { OplogSetupService } from '../database/setup';
import { OplogRepository } from '../log/oplog';
import { noAnswer, within } from '../database/waiting';

/** A process that works on the log: its sessions, and when it was last seen alive. Kept with the leases. */
interface ProcessRecord {
  readonly _id: string;
  readonly sessions: readonly mongo.Binary[];
  /** Which of the process's notes it is. */
  readonly turn: number;
  readonly seenAt: Date;
}

const PREFIX = 'process:';
const BEAT_MS = 2_000;
/** More sessions than this are never open at once; the oldest ids are forgotten. */
const MAX_IDS = 10_000;
/** How long after its deadline a transaction that has not come to an end counts as hanging. */
const HANGS_MS = 1_000;
/** Of each command about the processes. One that hangs must not hold up a push, nor the beats. */
const NOTE_LIMIT_MS = 2_000;
/** After so long without a beat a process counts as dead, and its open transactions are ended. */
const SILENT_MS = 6_000;

/**
 * The sessions that the engine's transactions run in, and those of the app that hold a scope's head, known to the other
 * processes.
 *
 * MongoDB keeps the locks of a transaction whose client was killed for up to a minute: the scope's head could not be
 * moved for so long. So each process notes its sessions in the database and beats; the others end the sessions of one
 * that has fallen silent (a user may always kill its own sessions). A process that was only frozen finds its
 * transaction gone and runs it again: safety stays with the head's compare-and-set. Whatever else the silent process had
 * going in those sessions ends too: the driver gives a session's id out again, also to the app.
 */
@Injectable()
export class EngineSessions implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private readonly id = `${PREFIX}${randomUUID()}`;
  private readonly processes: mongo.Collection<ProcessRecord>;
  /** The ids of all sessions that were ever used, the last used last: the driver gives an ended one's id out again. */
  private readonly ids = new Map<string, mongo.Binary>();
  private readonly free: mongo.ClientSession[] = [];
  private timer: NodeJS.Timeout | undefined;
  /** Of the newest note. */
  private turn = 0;
  private stopped = false;
  /** A client bound to the stable API may not: MongoDB ends what was left open by itself then, within a minute. */
  private readonly mayKill: boolean;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly setup: OplogSetupService,
    @Inject(SYNC_SETTINGS) settings: SyncSettings,
  ) {
    this.mayKill = oplog.client.options.serverApi?.strict !== true;
    // A hint for the living, not a record of anything: the majority's word is not needed.
    this.processes = oplog.db.collection<ProcessRecord>(settings.leasesCollection, {
      readPreference: 'primary',
      writeConcern: { w: 1 },
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.setup.whenReady();
    await this.beat();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await within(NOTE_LIMIT_MS, () => this.processes.deleteOne({ _id: this.id })).catch(ignore);
  }

  /**
   * Runs `work` in one of the sessions. A session does one thing after another: each is lent to one at a time.
   *
   * @param deadline performance.now(); an operation that hangs beyond it is given up, and its session is ended
   * @throws UnknownCommitError then: nobody can tell what the database has done
   */
  async use<T>(work: (session: mongo.ClientSession) => Promise<T>, deadline: number): Promise<T> {
    const session = this.free.pop() ?? (await this.open());
    const limit = new AbortController();
    try {
      return await within(deadline - performance.now() + HANGS_MS, () => work(session), noAnswer, limit);
    } catch (error) {
      throw limit.signal.aborted ? new UnknownCommitError(error) : error;
    } finally {
      if (limit.signal.aborted) void this.kill(session).catch(ignore);
      else this.free.push(session);
    }
  }

  /**
   * The same for code of the app, which may keep the session: it is ended afterwards, so that a call that was not
   * awaited fails, and never becomes part of somebody else's transaction.
   */
  async lend<T>(work: (session: mongo.ClientSession) => Promise<T>): Promise<T> {
    const session = await this.open();
    let isOpen = false;
    try {
      return await work(session);
    } catch (error) {
      isOpen = error instanceof UnknownCommitError;
      throw error;
    } finally {
      // The caller has waited to the deadline already.
      if (isOpen) void this.kill(session).catch(ignore);
      else await session.endSession();
    }
  }

  /** Makes a session that the app has opened itself one of the known ones, before it holds any lock. */
  async know(session: mongo.ClientSession): Promise<void> {
    const { id } = session.id as { id: mongo.Binary };
    const key = id.toString('hex');
    const isNew = !this.ids.delete(key);
    this.ids.set(key, id);
    if (isNew) await this.note().catch(ignore);
  }

  /** A commit that never arrived leaves the transaction open, and its scope locked. One that did is not undone by it. */
  private async kill(session: mongo.ClientSession): Promise<void> {
    try {
      await this.killSessions([session.id as { id: mongo.Binary }]);
    } finally {
      await session.endSession();
    }
  }

  private async open(): Promise<mongo.ClientSession> {
    const session = this.oplog.client.startSession();
    await this.know(session);
    return session;
  }

  private async beat(): Promise<void> {
    try {
      await this.note();
      await this.reap();
    } catch {
      // Without a primary there is nobody to tell, and nothing to end: at the next beat.
    }
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.beat(), BEAT_MS).unref();
  }

  private async killSessions(sessions: readonly { readonly id: mongo.Binary }[]): Promise<void> {
    if (!this.mayKill) return;
    await within(NOTE_LIMIT_MS, (signal) =>
      this.oplog.db.admin().command({ killSessions: sessions }, { signal }),
    );
  }

  /**
   * Writes down which sessions there are. Notes run side by side, and may arrive in any order: an older, shorter list
   * never takes the place of a newer one, or the sessions that it lacks would never be ended.
   */
  private async note(): Promise<void> {
    if (this.stopped) return;
    const turn = ++this.turn;
    for (const key of this.ids.keys()) if (this.ids.size > MAX_IDS) this.ids.delete(key);
    const sessions = [...this.ids.values()];
    await within(NOTE_LIMIT_MS, () =>
      this.processes.updateOne(
        { _id: this.id },
        [
          { $set: { isNewer: { $gt: [turn, { $ifNull: ['$turn', 0] }] } } },
          {
            $set: {
              sessions: { $cond: ['$isNewer', { $literal: sessions }, '$sessions'] },
              turn: { $max: [turn, '$turn'] },
              seenAt: '$$NOW',
            },
          },
          { $unset: 'isNewer' },
        ],
        { upsert: true },
      ),
    );
  }

  /** Ends what silent processes have left open. The first to look does it; twice does no harm. */
  private async reap(): Promise<void> {
    const silent = await within(NOTE_LIMIT_MS, (signal) =>
      this.processes
        .find(
          {
            _id: { $gte: PREFIX, $lt: `${PREFIX}~` },
            $expr: { $lt: ['$seenAt', { $subtract: ['$$NOW', SILENT_MS] }] },
          },
          { signal },
        )
        .toArray(),
    );
    for (const { _id, sessions } of silent) {
      if (_id === this.id) continue;
      if (sessions.length > 0) await this.killSessions(sessions.map((id) => ({ id })));
      await within(NOTE_LIMIT_MS, () => this.processes.deleteOne({ _id }));
      this.logger.warn(
        `A process of this cluster fell silent; its ${sessions.length} sessions ` +
          (this.mayKill ? 'were ended.' : 'end by themselves within a minute (serverApi is strict).'),
      );
    }
  }
}

function ignore(): void {
  // See beat(): this is a help for the others, never a condition of the work itself.
}
