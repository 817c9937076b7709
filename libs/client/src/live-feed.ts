import type { LogChange } from 'nest-offline-sync-protocol';
import type { Auth } from './auth.ts';
import { LiveSocket, type SocketEvent, type Subscription } from './live-socket.ts';
import { takeEntries, takeTime } from './reading.ts';
import type { Replica } from './replica.ts';
import { afterClose, failureOf, type AfterClose, type Failure } from './rules/failure.ts';
import { offsetOf } from './rules/clock.ts';
import type { Answer } from './transport.ts';

export interface FeedEnd {
  readonly wasLive: boolean;
  readonly after: AfterClose;
  readonly failure?: Failure | undefined;
  readonly resync?: 'too_old' | 'unknown_cursor' | undefined;
}

const GATHER_MS = 20;
const GATHER_MAX = 500;
const FRESH_TOKEN_MS = 60_000;

/** One connection from its first word to its last: gathers entries and stores them with the cursor behind them. */
export class LiveFeed {
  onLive: () => void = () => undefined;
  private socket: LiveSocket | undefined;
  private isLive = false;
  private isClosed = false;
  private cursor: string;
  private gathered: LogChange[] = [];
  private position: string | undefined;
  private storing: Promise<void> = Promise.resolve();
  private storeFailure: { readonly error: unknown } | undefined;
  private endGathering: (() => void) | undefined;
  private endToken: (() => void) | undefined;
  private failure: Failure | undefined;
  private resync: FeedEnd['resync'];

  constructor(
    private readonly replica: Replica,
    private readonly auth: Auth,
    private readonly subscription: Subscription,
  ) {
    this.cursor = subscription.since;
  }

  /** Until the connection ends; what was gathered is stored by then. */
  async run(): Promise<FeedEnd> {
    const code = await new Promise<number>((resolve) => {
      const { environment } = this.replica;
      const connect = environment.socket;
      if (!connect || this.isClosed) return resolve(1000);
      try {
        this.socket = new LiveSocket(connect, this.subscription, environment, (event) => {
          if (event.kind === 'closed') resolve(event.code);
          else this.take(event);
        });
      } catch {
        resolve(1006);
      }
    });
    this.endToken?.();
    this.flush();
    await this.storing;
    if (this.storeFailure) throw this.storeFailure.error as Error;
    const after = afterClose(code);
    const failure = this.failure ?? failureAfter(after);
    return { wasLive: this.isLive, after, failure, resync: this.resync };
  }

  close(): void {
    this.isClosed = true;
    this.socket?.close();
  }

  push(body: object): Promise<Answer> | undefined {
    return this.isLive ? this.socket?.push(body) : undefined;
  }

  private take(event: SocketEvent): void {
    switch (event.kind) {
      case 'subscribed':
        this.isLive = true;
        this.renewToken();
        return this.onLive();
      case 'entry':
        this.gathered.push(event.entry);
        this.position = undefined;
        return this.gathered.length >= GATHER_MAX ? this.flush() : this.flushSoon();
      case 'position':
        this.position = event.cursor;
        return this.flushSoon();
      case 'time':
        return this.learnTime(event.serverTime);
      case 'resync':
        this.resync = event.isRestored ? 'unknown_cursor' : 'too_old';
        return this.close();
      case 'refused':
        this.failure = event.failure;
        if (event.failure.kind === 'forbidden') this.close();
        return;
      case 'closed':
        return;
    }
  }

  private flushSoon(): void {
    this.endGathering ??= this.replica.environment.timer(GATHER_MS, () => this.flush());
  }

  private flush(): void {
    this.endGathering?.();
    this.endGathering = undefined;
    const entries = this.gathered;
    const next = this.position ?? entries.at(-1)?.version;
    this.gathered = [];
    this.position = undefined;
    if (next === undefined || (entries.length === 0 && next <= this.cursor)) return;
    const since = this.cursor;
    this.cursor = next;
    this.storing = this.storing.then(() => this.store(since, entries, next));
  }

  private async store(since: string, entries: readonly LogChange[], next: string): Promise<void> {
    if (this.storeFailure) return;
    try {
      if (!(await takeEntries(this.replica, since, entries, next))) this.close();
    } catch (error) {
      this.storeFailure = { error };
      this.close();
    }
  }

  private learnTime(serverTime: string): void {
    const now = this.replica.environment.now();
    const offset = offsetOf(serverTime, now, now);
    if (offset === undefined) return;
    this.storing = this.storing.then(() => takeTime(this.replica, offset).catch(() => this.close()));
  }

  private renewToken(): void {
    const { environment } = this.replica;
    const ends = this.auth.expiresAt();
    if (ends === undefined) return;
    const ms = Math.max(1_000, ends - FRESH_TOKEN_MS - this.auth.serverNow());
    if (ms > 2 ** 31 - 1) return;
    this.endToken = environment.timer(ms, () => {
      void this.auth.token().then(
        (token) => {
          this.socket?.token(token);
          this.renewToken();
        },
        // The server closes the socket when the token ends; the reader asks again then.
        () => undefined,
      );
    });
  }
}

function failureAfter(after: AfterClose): Failure | undefined {
  if (after === 'forbidden') return failureOf(403, {}, NaN);
  if (after === 'outdated') return failureOf(0, { code: 'client_outdated' }, NaN);
  if (after === 'token') return failureOf(401, {}, NaN);
  return after === 'backoff' || after === 'polling' ? failureOf(503, {}, NaN) : undefined;
}
