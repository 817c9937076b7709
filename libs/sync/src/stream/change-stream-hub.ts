import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import mongoose, { type mongo } from 'mongoose';
import { CollectionRegistry } from '../collections/collection-registry';
import { SyncMetrics } from '../metrics/metrics';
import { OplogRepository } from '../log/oplog';
import type { SyncSettings } from '../options/settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../options/tokens';
import { fullJitter, OUTAGE_PAUSE, pause, within } from '../database/waiting';
import { errorKind } from '../database/errors';
import { StreamChange, type RawInsert } from '../log/entry';
import { followInserts, type InsertListener } from './change-stream';

/** Who is told of a scope's entries. The calls must return at once and never throw. */
export interface HubSubscriber {
  /** In the order of the log. */
  offer(entries: readonly StreamChange[]): void;
  /** There is a stream again: {@link ChangeStreamHub.seenUpTo} is known. */
  opened(): void;
  /** Entries may have been missed: read the log from the last one on. */
  lost(): void;
  /** The process goes down. */
  closed(): void;
}

/** At most this much is handed out at once: between two such runs the sockets get a turn. */
const RUN_ENTRIES = 256;
const RUN_BYTES = 256 << 10;
/** A stream that lived so long was a good one: the next one is opened without a long wait. */
const STABLE_MS = 5_000;
/** The server's cursor is gone after milliseconds; its last answer, which nobody needs, may take a second longer. */
const CLOSE_LIMIT_MS = 300;

/**
 * The one change stream of this process: follows the log's inserts and hands each entry to the subscribers of its
 * scope. When the stream is lost it opens another one for as long as it takes, and sends every subscriber back to the
 * log: nobody notices more than a delay. It is open while somebody listens, and for a ping interval after: a process
 * whose writes interest nobody costs the database nothing.
 */
@Injectable()
export class ChangeStreamHub implements BeforeApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private readonly scopes = new Map<string, Set<HubSubscriber>>();
  private readonly urgent = new Set<string>();
  private closing = false;
  private following: { readonly stop: AbortController; readonly stopped: Promise<void> } | undefined;
  private attached = 0;
  private resting: NodeJS.Timeout | undefined;
  private wasLost = false;
  private reopenings = 0;
  private failures = 0;
  private seen: mongo.Timestamp | undefined;
  private readonly waiting = new Set<() => void>();
  private readonly runBytes: number;
  private readonly lingerMs: number;
  private readonly listener: InsertListener = {
    opened: (time) => this.opened(time),
    inserted: (entries) => this.inserted(entries),
  };

  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
    @Inject(SYNC_SETTINGS) { socketBufferBytes, pingIntervalMs }: SyncSettings,
  ) {
    this.lingerMs = pingIntervalMs;
    // A run that alone fills what may wait for a subscriber would send it back to the log for nothing.
    this.runBytes = Math.min(RUN_BYTES, socketBufferBytes / 2);
  }

  /** False while somebody listens and there is no stream (yet). */
  get alive(): boolean {
    return this.attached === 0 || this.seen !== undefined;
  }

  /** How often the stream was lost and opened again. */
  get reopened(): number {
    return this.reopenings;
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
    if (this.closing) {
      subscriber.closed();
      return () => undefined;
    }
    clearTimeout(this.resting);
    this.following ??= this.follow();
    const subscribers = this.scopes.get(scopeId) ?? new Set();
    this.scopes.set(scopeId, subscribers.add(subscriber));
    this.metrics.subscribers((this.attached += 1));
    return () => {
      if (!subscribers.delete(subscriber)) return;
      if (subscribers.size === 0 && this.scopes.get(scopeId) === subscribers) this.scopes.delete(scopeId);
      this.metrics.subscribers((this.attached -= 1));
      if (this.attached === 0 && !this.closing) this.restLater();
    };
  }

  /**
   * Tells it of a scope's entries while others listen (for it alone there is no stream), and before the others are told
   * of anything that was written after these.
   */
  overhear(scopeId: string, subscriber: HubSubscriber): void {
    this.urgent.add(scopeId);
    this.scopes.set(scopeId, new Set([subscriber]));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.closing = true;
    clearTimeout(this.resting);
    const stopped = this.rest();
    // The sockets' clients are told by their gateway, in the same turn.
    await nextTurn();
    this.tellAll((subscriber) => subscriber.closed());
    if (stopped)
      await within(
        CLOSE_LIMIT_MS,
        () => stopped,
        () => undefined,
      );
  }

  private follow(): { readonly stop: AbortController; readonly stopped: Promise<void> } {
    const stop = new AbortController();
    return { stop, stopped: this.run(stop.signal) };
  }

  private restLater(): void {
    // Not while it is being opened: what was asked cannot be called back, and would keep a connection.
    const rest = (): unknown => (this.seen ? this.rest() : this.restLater());
    this.resting = setTimeout(rest, this.lingerMs).unref();
  }

  /** @returns when the stream is closed */
  private rest(): Promise<void> | undefined {
    const { following } = this;
    this.following = undefined;
    this.seen = undefined;
    this.wasLost = false;
    this.failures = 0;
    following?.stop.abort();
    this.release();
    return following?.stopped;
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
      if (signal.aborted) return;
      const wasOpen = this.seen !== undefined;
      // First: who is told reads on at once, and must not take this stream for a live one.
      this.seen = undefined;
      if (wasOpen) this.tellAll((subscriber) => subscriber.lost());
      this.wasLost ||= wasOpen;
      await pause(fullJitter(this.failures, OUTAGE_PAUSE, Math.random()), signal);
    }
  }

  private opened(time: mongo.Timestamp): void {
    if (this.seen) return;
    this.seen = time;
    if (this.wasLost) this.reopenings += 1;
    this.wasLost = false;
    if (this.failures > 0) this.logger.log({ message: 'Change stream open', failures: this.failures });
    this.release();
    this.tellAll((subscriber) => subscriber.opened());
  }

  /** Hands on what is somebody's here, scope by scope, in runs between which the sockets get a turn. */
  private async inserted(entries: readonly RawInsert[]): Promise<void> {
    const now = Date.now();
    const time = new mongoose.mongo.Timestamp(entries.at(-1)?.clusterTime ?? 0n);
    if (this.seen?.lessThan(time)) this.seen = time;
    let run = new Run();
    for (const entry of entries) {
      const { scope } = entry;
      if (!this.scopes.has(scope)) continue;
      this.metrics.streamLag(Math.max(0, now - entry.writtenAt) / 1000);
      if (this.urgent.has(scope)) {
        // Before what was written before it, and so before what was written after it.
        for (const subscriber of this.scopes.get(scope) ?? []) subscriber.offer([entry.change()]);
        continue;
      }
      run.add(scope, this.shown(entry.change()));
      if (run.entries < RUN_ENTRIES && run.bytes < this.runBytes) continue;
      this.dispatch(run);
      run = new Run();
      await nextTurn();
    }
    this.dispatch(run);
  }

  private shown(entry: StreamChange): StreamChange {
    const { version, seq, wire, collection } = entry;
    if (collection === undefined || !this.collections.get(collection)?.rules.form?.hasSecrets) return entry;
    return new StreamChange(version, seq, this.collections.redacted(wire), collection);
  }

  private dispatch(run: Run): void {
    for (const [scope, entries] of run.scopes) {
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

/** What is handed out at once, by scope. */
class Run {
  readonly scopes = new Map<string, StreamChange[]>();
  entries = 0;
  bytes = 0;

  add(scope: string, entry: StreamChange): void {
    const ofScope = this.scopes.get(scope);
    if (ofScope) ofScope.push(entry);
    else this.scopes.set(scope, [entry]);
    this.entries += 1;
    this.bytes += entry.bytes;
  }
}
