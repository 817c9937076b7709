import type { LogChange } from 'nest-offline-sync-protocol';
import type { LiveHub } from './live-hub.ts';
import type { Channel, SocketEvent, Subscription } from './live-socket.ts';
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

/** Entries that come within so many milliseconds after others were stored are stored together. */
const GATHER_MS = 20;
const GATHER_MAX = 500;

/** One subscription from its first word to its last: gathers entries and stores them with the cursor behind them. */
export class LiveFeed {
  onLive: () => void = () => undefined;
  private channel: Channel | undefined;
  private isLive = false;
  private isClosed = false;
  private cursor: string;
  private gathered: LogChange[] = [];
  private position: string | undefined;
  private storing: Promise<void> = Promise.resolve();
  private storeFailure: { readonly error: unknown } | undefined;
  private endGathering: (() => void) | undefined;
  private storedAt = -Infinity;
  private failure: Failure | undefined;
  private resync: FeedEnd['resync'];

  constructor(
    private readonly replica: Replica,
    private readonly hub: LiveHub,
    private readonly subscription: Subscription,
    private readonly silenceMs: number,
  ) {
    this.cursor = subscription.since;
  }

  /** Until the subscription ends; what was gathered is stored by then. */
  async run(): Promise<FeedEnd> {
    const code = await new Promise<number>((resolve) => {
      if (this.isClosed) return resolve(1000);
      try {
        this.channel = this.hub.subscribe(this.subscription, this.silenceMs, (event) => {
          if (event.kind === 'closed') resolve(event.code);
          else this.take(event);
        });
      } catch {
        resolve(1006);
      }
    });
    this.flush();
    await this.storing;
    if (this.storeFailure) throw this.storeFailure.error as Error;
    const after = afterClose(code);
    const failure = this.failure ?? failureAfter(after);
    return { wasLive: this.isLive, after, failure, resync: this.resync };
  }

  close(): void {
    this.isClosed = true;
    this.channel?.close();
  }

  push(body: object): Promise<Answer> | undefined {
    return this.isLive ? this.channel?.push(body) : undefined;
  }

  private take(event: SocketEvent): void {
    switch (event.kind) {
      case 'subscribed':
        this.isLive = true;
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

  /** At once after a silence, with what is told in the same moment. */
  private flushSoon(): void {
    if (this.endGathering) return;
    const { environment } = this.replica;
    const since = environment.now() - this.storedAt;
    const ms = since >= 0 && since < GATHER_MS ? GATHER_MS - since : 0;
    this.endGathering = environment.timer(ms, () => this.flush());
  }

  private flush(): void {
    this.endGathering?.();
    this.endGathering = undefined;
    const entries = this.gathered;
    const next = this.position ?? entries.at(-1)?.version;
    this.gathered = [];
    this.position = undefined;
    if (next === undefined || (entries.length === 0 && next <= this.cursor)) return;
    this.storedAt = this.replica.environment.now();
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
}

/** @param pingMs how often the server says that it is there */
export async function feedOf(
  replica: Replica,
  hub: LiveHub,
  wish: Omit<Subscription, 'scope' | 'identity' | 'clientId'>,
  pingMs = 30_000,
): Promise<LiveFeed> {
  const { identity } = await replica.meta('server');
  const subscription = { ...wish, scope: replica.scope, identity, clientId: replica.client.id };
  return new LiveFeed(replica, hub, subscription, Math.max(5_000, 2.5 * pingMs));
}

function failureAfter(after: AfterClose): Failure | undefined {
  if (after === 'forbidden') return failureOf(403, {}, NaN);
  if (after === 'outdated') return failureOf(0, { code: 'client_outdated' }, NaN);
  if (after === 'token') return failureOf(401, {}, NaN);
  return after === 'backoff' || after === 'polling' ? failureOf(503, {}, NaN) : undefined;
}
