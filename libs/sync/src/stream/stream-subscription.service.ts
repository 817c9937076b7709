import mongoose from 'mongoose';
import { isSocketError } from '../oplog/socket-error';
import { SyncError } from '../protocol/errors';
import type { Backlog } from './backlog.service';
import { backoffMs } from './backoff';
import type { ChangeStreamHub, HubSubscriber } from './change-stream-hub.service';
import { Follower, type FollowerBounds } from './follower';
import { FIRST_PAGE_ENTRIES, nextPageEntries } from './page-size';
import { pause } from './pause.service';
import type { LiveEntry, LogPosition, StreamEntry, StreamMessage, StreamResync } from './stream-entry';

export interface SubscriptionQuery {
  readonly scopeId: string;
  readonly since: string | undefined;
  /** Authorized already. */
  readonly collections: readonly string[];
  readonly bounds: FollowerBounds;
}

/**
 * One subscriber's way through its scope's log. Iterate it once, with `for await`: nothing is read ahead of the
 * consumer beyond the bounds, and a consumer that stops for a while costs nobody else anything. While the database or
 * the change stream is away it waits. Ends after a `resync`, or when its signal fires.
 */
export class StreamSubscription implements AsyncIterable<StreamMessage>, HubSubscriber {
  readonly collections: readonly string[];
  readonly since: string | undefined;
  private readonly follower: Follower<StreamEntry>;
  private wake: () => void = () => undefined;
  private down = false;
  /** While the consumer holds an entry: a consumer that never comes back may not have used it. */
  private handing: { readonly before: LogPosition | undefined } | undefined;
  private pageEntries = FIRST_PAGE_ENTRIES;
  private failures = 0;

  constructor(
    private readonly query: SubscriptionQuery,
    private readonly hub: ChangeStreamHub,
    private readonly backlog: Backlog,
    private readonly signal: AbortSignal,
  ) {
    this.collections = query.collections;
    this.since = query.since;
    this.follower = new Follower(query.since, new Set(query.collections), query.bounds);
  }

  /**
   * A cursor that the client may keep: everything asked up to it was handed over, and the consumer came back for more.
   * Moves with every entry of the scope, also of collections that were not asked. Undefined until the cursor has been
   * found in the log.
   */
  get position(): LogPosition | undefined {
    return this.handing ? this.handing.before : this.follower.position;
  }

  /** @throws SyncError `shutting_down` when the process goes down; errors of the database that waiting does not cure */
  async *[Symbol.asyncIterator](): AsyncGenerator<StreamMessage, void, undefined> {
    const { signal } = this;
    const detach = this.hub.attach(this.query.scopeId, this);
    const stop = (): void => this.wake();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        if (this.down) throw new SyncError('shutting_down', 'The server is going down. Open another stream.');
        const next = this.follower.next;
        if (next === 'wait') await new Promise<void>((resolve) => (this.wake = resolve));
        else if (next === 'take') {
          this.handing = { before: this.follower.position };
          const entry = this.follower.take();
          if (entry) yield entry;
          this.handing = undefined;
        } else {
          const resync = await this.readPage();
          if (resync) return yield resync;
        }
      }
    } finally {
      signal.removeEventListener('abort', stop);
      detach();
    }
  }

  offer(entry: LiveEntry): void {
    if (this.follower.offer(entry)) this.wake();
  }

  lost(): void {
    this.follower.lost();
    this.wake();
  }

  closed(): void {
    this.down = true;
    this.wake();
  }

  private async readPage(): Promise<StreamResync | undefined> {
    const after = this.hub.seenUpTo;
    if (!after) {
      await this.hub.whenOpen(this.signal);
      return undefined;
    }
    // From here on what is dispatched is kept, and the page sees what was dispatched before: no gap.
    this.follower.begin();
    const { scopeId, collections } = this.query;
    try {
      const since = this.follower.readFrom;
      const answer = await this.backlog.read(scopeId, { since, collections, limit: this.pageEntries, after });
      this.failures = 0;
      if ('kind' in answer) return answer;
      this.follower.page(answer);
      this.pageEntries = nextPageEntries(answer.entries, this.query.bounds.bytes);
    } catch (error) {
      this.follower.abandon();
      if (!isPassing(error)) throw error;
      this.failures += 1;
      await pause(backoffMs(this.failures, Math.random()), this.signal);
    }
    return undefined;
  }
}

/** Server errors that a read survives by trying again: elections, shutdowns, time limits. */
const PASSING_CODES = new Set([
  6, 7, 50, 89, 91, 134, 189, 202, 262, 290, 358, 384, 9001, 10107, 11600, 11601, 11602, 13435, 13436,
]);

function isPassing(error: unknown): boolean {
  if (error instanceof mongoose.mongo.MongoServerError) {
    return PASSING_CODES.has(Number(error.code)) || error.hasErrorLabel('RetryableError');
  }
  // Network, server selection, a pool that was cleared.
  return error instanceof mongoose.mongo.MongoError || isSocketError(error);
}
