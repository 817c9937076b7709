import type { Auth } from './auth.ts';
import { until, within } from './deadline.ts';
import type { Environment } from './environment.ts';
import { LoggedOutError } from './errors.ts';
import type { LiveHub } from './live-hub.ts';
import type { LossMark } from './loss-mark.ts';
import { Value, type Observable } from './observable.ts';
import type { Tuning } from './options.ts';
import { Pusher, storageFailure } from './pusher.ts';
import { Reader } from './reader.ts';
import type { ToldOutcome } from './outcome.ts';
import { isOver, isFenced, Replica } from './replica.ts';
import type { Shapes } from './rules/migration.ts';
import { Room } from './room.ts';
import type { Position } from './rules/reader-state.ts';
import { OPENING, statusOf, syncStatus, type Held, type Status, type SyncStatus } from './status.ts';
import type { ClientStorage, Database } from './storage.ts';
import { Transport } from './transport.ts';
import { Watch } from './watch.ts';

/** What a tab does for a replica: another one reads and sends, or this one does, or it would and is paused. */
export type Role = 'following' | 'leading' | 'paused';

export interface SessionOptions {
  readonly url: string;
  readonly hub: LiveHub | undefined;
  readonly storage: ClientStorage;
  readonly environment: Environment;
  readonly auth: Auth;
  readonly collections: readonly string[];
  readonly tuning: Tuning;
  readonly shapes: Shapes;
  /** Notes what would be lost with the database of a scope. */
  readonly markOf: (scope: string | undefined) => LossMark;
}

/** What a session tells those around it. */
export interface SessionPorts {
  /** To other tabs: what this one has written. */
  readonly wrote: (outcome: ToldOutcome) => void;
  /** To other tabs: how reading and sending stand, which this one does. */
  readonly stands: (status: SyncStatus) => void;
  /** It cannot go on: the database is gone, or the user has logged out. */
  readonly over: (error: unknown) => void;
  /** How long to wait after another leader has come, milliseconds. */
  readonly fencedMs: number;
}

/** A replica that is open, with what keeps it in step with the server if this tab does that. */
export class Session {
  readonly replica: Replica;
  /** How many edits went with a database that was here before and is gone. */
  readonly lost: number;
  private readonly reader: Reader;
  private readonly pusher: Pusher;
  private readonly transport: Transport;
  private readonly states: Value<Status>;
  private role: Role = 'following';
  private isRunning = false;
  private isClosed = false;
  /** Calls of {@link Session.syncOnce}, for which it runs though it is paused. */
  private once = 0;
  private standby: (Held & { readonly end: () => void }) | undefined;
  private turning: Promise<void> = Promise.resolve();
  private rejected = 0;
  private position: Position | undefined;
  /** By the leader; undefined: no other one has led since this tab began to. */
  private told: SyncStatus | undefined;
  private readonly mark: LossMark;
  private readonly room: Room;
  private last = '';
  private readonly watch: Watch;
  private lastSync = '';

  private constructor(
    replica: Replica,
    private readonly options: SessionOptions,
    private readonly ports: SessionPorts,
  ) {
    const { url, auth, environment, hub, collections, tuning } = options;
    this.replica = replica;
    this.watch = new Watch(tuning.tell, environment);
    this.mark = options.markOf(replica.scope);
    this.lost = this.mark.takeLost();
    const changed = (): void => this.tell();
    this.room = new Room(replica.database, environment, changed);
    const over = (error: unknown): void => this.failed(error);
    this.transport = new Transport(url, auth, environment, tuning.clientSchema);
    this.pusher = new Pusher(replica, {
      tuning,
      send: (body) =>
        this.reader.push(body) ?? this.transport.request({ method: 'POST', path: 'push', body }),
      changed,
      reload: () => this.reader.reload(),
      over,
    });
    this.reader = new Reader(replica, {
      tuning,
      transport: this.transport,
      auth,
      hub,
      collections,
      changed,
      informed: () => this.pusher.kick(),
      lost: (lost) => replica.announce({ losses: [lost] }),
      incomplete: (collection) => replica.announce({ incomplete: [collection] }),
      over,
    });
    this.states = new Value(this.now());
    replica.onChange((outcome, isOwn) => {
      const { put, gone, shown: _, position: __, ...rest } = outcome;
      if (isOwn) ports.wrote({ ...rest, seqs: [...put.map(({ seq }) => seq), ...gone] });
      // What an answer has sent back waits as the pusher says.
      if (put.some((each) => each.state === 'waiting' && each.returns === 0)) {
        this.pusher.kick();
        if (isOwn) void this.room.persist();
      }
      if ((isFull(this.reader.state) || isFull(this.pusher.state)) && this.room.isSign()) this.kick();
      this.position = outcome.position ?? this.position;
      if (outcome.rejectedChanged) void this.look();
      this.tell();
    });
  }

  static async open(
    database: Database,
    scope: string | undefined,
    options: SessionOptions,
    ports: SessionPorts,
  ): Promise<Session> {
    const replica = await Replica.open(database, options.environment, scope, options.shapes);
    const session = new Session(replica, options, ports);
    await session.look();
    void session.room.measure();
    return session;
  }

  get status(): Observable<Status> {
    return this.states;
  }

  /** How reading and sending stand, if this tab does that. */
  get stands(): SyncStatus {
    const { reader, pusher, position, standby } = this;
    return syncStatus(reader, pusher, { isPaused: this.role === 'paused', position, standby });
  }

  /** Calls take effect one after another. When it does not lead, nothing is sent or read from here once this has resolved. */
  turn(role: Role): Promise<void> {
    this.role = role;
    this.endStandby();
    return this.work();
  }

  /** How it stands in the tab that leads. */
  hear(told: SyncStatus): void {
    this.told = told;
    this.tell();
  }

  /** Tries at once what waits. */
  kick(): void {
    if (this.standby) {
      this.endStandby();
      void this.work();
    }
    this.reader.kick();
    this.pusher.kick();
  }

  /** Whether nothing is pending, at the latest after so many milliseconds. */
  async isSent(ms: number): Promise<boolean> {
    const isSent = (): boolean => this.replica.pending().length === 0;
    await until(this.options.environment, ms, this.states, () => isSent() || this.isClosed);
    return isSent();
  }

  /** Sends what waits and reads what is new, in this tab. */
  async syncOnce(ms: number): Promise<boolean> {
    const { environment } = this.options;
    const deadline = environment.now() + ms;
    this.once += 1;
    try {
      await this.work();
      this.kick();
      if (!(await this.isSent(ms))) return false;
      const isRead = await within(environment, deadline - environment.now(), this.reader.catchUp());
      return isRead && this.replica.pending().length === 0;
    } finally {
      this.once -= 1;
      await this.work();
    }
  }

  /** It was logged out: nothing is lost with the database. */
  forget(): void {
    this.mark.note(0);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.turn('following');
    this.tell();
    await this.replica.database.close();
  }

  private work(): Promise<void> {
    return (this.turning = this.turning.then(() => this.step()));
  }

  /** Brings what runs in step with what this tab has to do. */
  private async step(): Promise<void> {
    const isWanted = this.role === 'leading' || (this.role === 'paused' && this.once > 0);
    const mustRun = isWanted && !this.isClosed && !this.standby;
    if (mustRun && !this.isRunning)
      try {
        await this.replica.lead(this.told !== undefined);
        this.told = undefined;
        this.isRunning = true;
        this.reader.start();
        this.pusher.start();
      } catch (error) {
        if (isOver(error)) this.ports.over(error);
        else this.failed(error);
      }
    else if (!mustRun && this.isRunning) {
      this.isRunning = false;
      const stopped = Promise.all([this.pusher.stop(), this.reader.stop()]);
      this.transport.abort();
      await stopped;
      this.told ??= OPENING;
    }
    this.tell();
  }

  /**
   * It cannot lead just now. After a word of the others, or that they have logged out, this tab is told its new role in a moment; if not,
   * it tries again.
   */
  private failed(error: unknown): void {
    const isLost = isOver(error) && !isFenced(error) && !(error instanceof LoggedOutError);
    if (isLost) return this.ports.over(error);
    if (this.standby || this.isClosed) return;
    if (isFenced(error)) this.told = OPENING;
    const { environment } = this.options;
    const ms = isFenced(error) ? this.ports.fencedMs : STANDBY_MS;
    const end = environment.timer(ms, () => {
      this.endStandby();
      void this.work();
    });
    this.standby = { phase: 'waiting', until: environment.now() + ms, failure: storageFailure(error), end };
    void this.work();
  }

  private endStandby(): void {
    this.standby?.end();
    this.standby = undefined;
  }

  private async look(): Promise<void> {
    try {
      this.position = await this.replica.meta('position');
      this.rejected = (await this.replica.refused()).length;
      this.tell();
    } catch {
      // The database is gone: the loops say so.
    }
  }

  private now(): Status {
    const isHere = this.role !== 'following';
    const sync = isHere ? this.stands : (this.told ?? OPENING);
    const storage = { kind: this.options.storage.kind, ...this.room.estimate };
    return statusOf(sync, isHere, this.replica, this.rejected, storage);
  }

  private tell(): void {
    if (this.role !== 'following' && !this.isClosed) {
      const { stands } = this;
      const sync = JSON.stringify(stands);
      if (sync !== this.lastSync) this.ports.stands(stands);
      this.lastSync = sync;
    }
    const now = this.now();
    if (!this.isClosed) this.mark.note(now.pending + now.rejected);
    this.room.full(now.blockedBy === 'storage');
    if (this.role !== 'following') this.watch.look(now, this.pusher.state, this.reader.state);
    const text = JSON.stringify(now);
    if (text === this.last && !this.isClosed) return;
    this.last = text;
    this.states.set(now);
  }
}

const STANDBY_MS = 5_000;

function isFull(state: Reader['state'] | Pusher['state']): boolean {
  return state.phase === 'blocked' && state.by === 'storage';
}
