import { Auth } from './auth.ts';
import type { Environment } from './environment.ts';
import type { LiveHub } from './live-hub.ts';
import { LossMark } from './loss-mark.ts';
import { Pusher } from './pusher.ts';
import type { Conflict } from './pushing.ts';
import { Reader } from './reader.ts';
import { Replica } from './replica.ts';
import type { Shapes } from './rules/migration.ts';
import type { Position } from './rules/reader-state.ts';
import { statusOf, type Status } from './status.ts';
import type { ClientStorage, Database, StorageEstimate } from './storage.ts';
import { Transport } from './transport.ts';

export interface SessionOptions {
  readonly url: string;
  readonly hub: LiveHub | undefined;
  readonly storage: ClientStorage;
  /** Where is noted what would be lost with the database. */
  readonly markName: string;
  readonly environment: Environment;
  readonly auth: Auth;
  readonly scope: string | undefined;
  readonly collections: readonly string[];
  readonly shapes: Shapes;
  readonly status: (status: Status) => void;
  readonly conflicts: (conflicts: readonly Conflict[]) => void;
  readonly rejected: () => void;
  /** It cannot go on: another tab leads ({@link isFenced}), or the database is gone. */
  readonly over: (error: unknown) => void;
}

/** A replica that is open, and what keeps it in step with the server. */
export class Session {
  readonly reader: Reader;
  readonly pusher: Pusher;
  /** How many edits went with a database that was here before and is gone. */
  readonly lost: number;
  private readonly transport: Transport;
  private isPaused = true;
  private isFollowing = false;
  private isClosed = false;
  private rejected = 0;
  private position: Position | undefined;
  private told = '';
  private readonly mark: LossMark;
  private room: StorageEstimate = { persisted: false };
  private hasAskedToPersist = false;
  /** When a write that worked was last taken for a sign of room. */
  private roomAt = -Infinity;
  private wasFull = false;
  private readonly leave: (() => void)[] = [];

  private constructor(
    readonly replica: Replica,
    private readonly options: SessionOptions,
  ) {
    const { url, auth, environment, hub, collections, conflicts, over } = options;
    this.mark = new LossMark(options.storage.marks, options.markName, replica.client.id);
    this.lost = this.mark.takeLost();
    const changed = (): void => this.tell();
    this.transport = new Transport(url, auth, environment);
    this.pusher = new Pusher(replica, {
      send: (body) =>
        this.reader.push(body) ?? this.transport.request({ method: 'POST', path: 'push', body }),
      changed,
      conflicts,
      reload: () => this.reader.reload(),
      over,
    });
    this.reader = new Reader(replica, {
      transport: this.transport,
      auth,
      hub,
      collections,
      changed: () => void this.look(),
      informed: () => this.pusher.kick(),
      over,
    });
    this.leave.push(
      replica.onChange((outcome) => {
        if (outcome.put.some((each) => each.state === 'waiting')) {
          this.pusher.kick();
          void this.persist();
        }
        this.wrote();
        if (outcome.rejectedChanged) {
          void this.look();
          options.rejected();
        }
        changed();
      }),
    );
    const wake = environment.onWake?.(() => this.kick());
    if (wake) this.leave.push(wake);
  }

  static async open(database: Database, options: SessionOptions): Promise<Session> {
    const { environment, scope, shapes } = options;
    const session = new Session(await Replica.open(database, environment, scope, shapes), options);
    await session.look();
    void session.measure();
    return session;
  }

  async start(): Promise<void> {
    if (!this.isPaused) return;
    this.isPaused = this.isFollowing = false;
    await this.replica.lead();
    // It may have been stopped meanwhile.
    if (this.paused) return;
    this.reader.start();
    this.pusher.start();
    this.tell();
  }

  /** Nothing is sent or read any more once this has resolved. */
  async stop(): Promise<void> {
    this.isPaused = true;
    const stopped = Promise.all([this.pusher.stop(), this.reader.stop()]);
    this.transport.abort();
    await stopped;
    this.tell();
  }

  /** Another tab leads from now on. */
  async follow(): Promise<void> {
    this.isFollowing = true;
    await this.stop();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.stop();
    for (const leave of this.leave) leave();
    await this.replica.database.close();
  }

  /** Tries at once what waits. */
  kick(): void {
    this.reader.kick();
    this.pusher.kick();
  }

  /** It was logged out: nothing is lost with the database. */
  forget(): void {
    this.mark.note(0);
  }

  get paused(): boolean {
    return this.isPaused;
  }

  /** Asked once, when there is something to lose: browsers decide by what the user does. */
  private async persist(): Promise<void> {
    if (this.hasAskedToPersist) return;
    this.hasAskedToPersist = true;
    await this.replica.database.persist().catch(() => false);
    await this.measure();
  }

  private async measure(): Promise<void> {
    const room = await this.replica.database.estimate().catch(() => undefined);
    if (!room) return;
    this.room = room;
    this.tell();
  }

  /** There may be room again. Not asked often: what is read next may be larger than what was written. */
  private wrote(): void {
    const { environment } = this.options;
    if (!isFull(this.reader.state) && !isFull(this.pusher.state)) return;
    if (environment.now() - this.roomAt < ROOM_AGAIN_MS) return;
    this.roomAt = environment.now();
    this.kick();
  }

  private async look(): Promise<void> {
    try {
      this.position = await this.replica.meta('position');
      this.rejected = (await this.replica.refused()).length;
    } catch {
      // The database is gone: the loops say so.
      return;
    }
    this.tell();
  }

  private tell(): void {
    const { position, rejected, isPaused, isFollowing } = this;
    const { storage: place, status } = this.options;
    const storage = { kind: place.kind, ...this.room };
    const facts = { storage, rejected, isPaused, isFollowing, position };
    const now = statusOf(this.replica, this.reader, this.pusher, facts);
    this.mark.note(now.pending + rejected);
    if (now.blockedBy === 'storage' && !this.wasFull) void this.measure();
    this.wasFull = now.blockedBy === 'storage';
    const text = JSON.stringify(now);
    if (text === this.told || this.isClosed) return;
    this.told = text;
    status(now);
  }
}

const ROOM_AGAIN_MS = 5_000;

function isFull(state: Reader['state'] | Pusher['state']): boolean {
  return state.phase === 'blocked' && state.by === 'storage';
}
