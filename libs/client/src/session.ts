import { Auth } from './auth.ts';
import type { Environment } from './environment.ts';
import { Pusher } from './pusher.ts';
import type { Conflict } from './pushing.ts';
import { Reader } from './reader.ts';
import { Replica } from './replica.ts';
import type { Position } from './rules/reader-state.ts';
import { statusOf, type Status } from './status.ts';
import type { ClientStorage, Database } from './storage.ts';
import { Transport } from './transport.ts';

export interface SessionOptions {
  readonly url: string;
  readonly socketUrl: string | undefined;
  readonly storage: ClientStorage;
  readonly environment: Environment;
  readonly auth: Auth;
  readonly scope: string | undefined;
  readonly collections: readonly string[];
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
  private readonly transport: Transport;
  private isPaused = true;
  private isFollowing = false;
  private rejected = 0;
  private position: Position | undefined;
  private told = '';
  private readonly leave: (() => void)[] = [];

  private constructor(
    readonly replica: Replica,
    private readonly options: SessionOptions,
  ) {
    const { url, auth, environment, socketUrl, collections, conflicts, over } = options;
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
      socketUrl,
      collections,
      changed: () => void this.look(),
      informed: () => this.pusher.kick(),
      over,
    });
    this.leave.push(
      replica.onChange((outcome) => {
        if (outcome.put.some((each) => each.state === 'waiting')) this.pusher.kick();
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
    const session = new Session(await Replica.open(database, options.environment, options.scope), options);
    await session.look();
    return session;
  }

  async start(): Promise<void> {
    if (!this.isPaused) return;
    this.isPaused = this.isFollowing = false;
    await this.replica.lead();
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
    await this.stop();
    for (const leave of this.leave) leave();
    await this.replica.database.close();
  }

  /** Tries at once what waits. */
  kick(): void {
    this.reader.kick();
    this.pusher.kick();
  }

  get paused(): boolean {
    return this.isPaused;
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
    const { storage, status } = this.options;
    const facts = { kind: storage.kind, rejected, isPaused, isFollowing, position };
    const now = statusOf(this.replica, this.reader, this.pusher, facts);
    const text = JSON.stringify(now);
    if (text === this.told) return;
    this.told = text;
    status(now);
  }
}
