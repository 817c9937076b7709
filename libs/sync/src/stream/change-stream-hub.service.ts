import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SyncMetrics } from '../metrics/metrics';
import { OplogRepository } from '../oplog/oplog.repository';
import type { SyncSettings } from '../sync.settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../sync.tokens';
import { backoffMs } from './backoff';
import { followInserts, type InsertedEntry, type InsertListener } from './change-stream.repository';
import { errorKind } from './error-kind';
import { pause } from './pause.service';
import { LiveEntry } from './stream-entry';

/** Who is told of a scope's entries. The calls must return at once and never throw. */
export interface HubSubscriber {
  /** In the order of the log. */
  offer(entries: readonly LiveEntry[]): void;
  /** There is a stream again: {@link ChangeStreamHub.seenUpTo} is known. */
  opened(): void;
  /** Entries may have been missed: read the log from the last one on. */
  lost(): void;
  /** The process goes down. */
  closed(): void;
}

/** So much is handed out at once at the most: between two such runs the sockets get a turn. */
const RUN_ENTRIES = 256;
const RUN_BYTES = 256 << 10;
/** A stream that lived so long was a good one: the next one is opened without a long wait. */
const STABLE_MS = 5_000;
/** The server's cursor is gone after milliseconds; its last answer, which nobody needs, may take a second longer. */
const CLOSE_LIMIT_MS = 300;

/**
 * The one change stream of this process: follows the log's inserts and hands each entry to the subscribers of its
 * scope. When the stream is lost it opens another one for as long as it takes, and sends every subscriber back to the
 * log: nobody notices more than a delay. Opens with the first subscriber, or by {@link start}.
 */
@Injectable()
export class ChangeStreamHub implements BeforeApplicationShutdown {
  private readonly logger = new Logger(ChangeStreamHub.name);
  private readonly scopes = new Map<string, Set<HubSubscriber>>();
  private readonly closing = new AbortController();
  private running: Promise<void> | undefined;
  private attached = 0;
  private openings = 0;
  private failures = 0;
  private seen: mongo.Timestamp | undefined;
  private readonly waiting = new Set<() => void>();
  private lastEvent: Date | undefined;
  /** What has come and was not handed out yet, by scope. */
  private arrived = new Map<string, LiveEntry[]>();
  private arrivedEntries = 0;
  private arrivedBytes = 0;
  private readonly runBytes: number;
  private readonly listener: InsertListener = {
    opened: (time) => this.opened(time),
    inserted: (entry, time) => this.gather(entry, time),
  };

  constructor(
    @Inject(OplogRepository) private readonly oplog: OplogRepository,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
    @Inject(SYNC_SETTINGS) { socketBufferBytes }: SyncSettings,
  ) {
    // A run that alone fills what may wait for a subscriber would send it back to the log for nothing.
    this.runBytes = Math.min(RUN_BYTES, socketBufferBytes / 2);
  }

  /** False while a lost stream has not been opened again. */
  get alive(): boolean {
    return this.running === undefined || this.seen !== undefined;
  }

  /** When the last entry came, by this process's clock. */
  get lastEventAt(): Date | undefined {
    return this.lastEvent;
  }

  /** How often the stream was lost and opened again. */
  get reopened(): number {
    return Math.max(0, this.openings - 1);
  }

  /**
   * A point that has no gap to what is dispatched from now on: a read that sees at least this, by a subscriber that is
   * attached already, misses nothing. Undefined while there is no stream.
   */
  get seenUpTo(): mongo.Timestamp | undefined {
    return this.seen;
  }

  /** Resolves when {@link seenUpTo} may be known, or when the signal fires. */
  async whenOpen(signal: AbortSignal): Promise<void> {
    if (this.seen || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.waiting.delete(done);
        resolve();
      };
      signal.addEventListener('abort', done);
      this.waiting.add(done);
    });
  }

  /** Tells the subscriber of the scope's entries from now on, until the returned function is called. */
  attach(scopeId: string, subscriber: HubSubscriber): () => void {
    if (this.closing.signal.aborted) {
      subscriber.closed();
      return () => undefined;
    }
    this.start();
    const subscribers = this.scopes.get(scopeId) ?? new Set();
    this.scopes.set(scopeId, subscribers.add(subscriber));
    this.metrics.subscribers((this.attached += 1));
    return () => {
      if (!subscribers.delete(subscriber)) return;
      if (subscribers.size === 0 && this.scopes.get(scopeId) === subscribers) this.scopes.delete(scopeId);
      this.metrics.subscribers((this.attached -= 1));
    };
  }

  /** Opens the stream, if that was not done yet. Does not wait for the database. */
  start(): void {
    if (!this.closing.signal.aborted) this.running ??= this.run(this.closing.signal);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.closing.abort();
    this.release();
    // The sockets' clients are told by their gateway, in the same turn.
    await nextTurn();
    this.tellAll((subscriber) => subscriber.closed());
    const limit = new AbortController();
    await Promise.race([this.running, pause(CLOSE_LIMIT_MS, limit.signal)]);
    limit.abort();
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const started = performance.now();
      try {
        await followInserts(this.oplog, this.listener, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.failures = performance.now() - started > STABLE_MS ? 1 : this.failures + 1;
        const { failures } = this;
        this.logger.warn({
          message: 'No change stream; opening another',
          reason: errorKind(error),
          failures,
        });
      }
      const wasOpen = this.seen !== undefined;
      // First: who is told reads on at once, and must not take this stream for a live one.
      this.seen = undefined;
      if (wasOpen) this.tellAll((subscriber) => subscriber.lost());
      await pause(backoffMs(this.failures, Math.random()), signal);
    }
  }

  private opened(time: mongo.Timestamp): void {
    if (this.seen || this.closing.signal.aborted) return;
    this.seen = time;
    this.openings += 1;
    if (this.failures > 0) this.logger.log({ message: 'Change stream open', failures: this.failures });
    this.release();
    this.tellAll((subscriber) => subscriber.opened());
  }

  /**
   * Keeps an entry for its scope's subscribers until the driver has no more of what the database's answer brought: its
   * promises resolve without a turn of the event loop in between, so that the next tick comes behind the last of them.
   */
  private gather(entry: InsertedEntry, time: mongo.Timestamp | undefined): Promise<void> | undefined {
    this.lastEvent = new Date();
    if (time && this.seen && time.greaterThan(this.seen)) this.seen = time;
    if (!this.scopes.has(entry.scope)) return undefined;
    this.metrics.streamLag(Math.max(0, this.lastEvent.getTime() - entry.at.getTime()) / 1000);
    if (this.arrivedEntries === 0) process.nextTick(() => this.dispatch());
    const live = new LiveEntry(entry.version, entry.seq, entry.wire, entry.collection);
    const run = this.arrived.get(entry.scope);
    if (run) run.push(live);
    else this.arrived.set(entry.scope, [live]);
    this.arrivedEntries += 1;
    this.arrivedBytes += live.bytes;
    if (this.arrivedEntries < RUN_ENTRIES && this.arrivedBytes < this.runBytes) return undefined;
    this.dispatch();
    return nextTurn();
  }

  private dispatch(): void {
    const { arrived } = this;
    if (this.arrivedEntries === 0) return;
    this.arrived = new Map();
    this.arrivedEntries = this.arrivedBytes = 0;
    for (const [scope, entries] of arrived) {
      const subscribers = this.scopes.get(scope);
      if (subscribers) for (const subscriber of subscribers) subscriber.offer(entries);
    }
  }

  private tellAll(tell: (subscriber: HubSubscriber) => void): void {
    for (const subscribers of this.scopes.values()) subscribers.forEach(tell);
  }

  private release(): void {
    for (const done of this.waiting) done();
  }
}
