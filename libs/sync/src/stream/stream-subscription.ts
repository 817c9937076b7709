import { SyncError, type Cursor, type Position } from 'nest-offline-sync-protocol';
import { isPassing } from '../database/errors';
import { fullJitter, OUTAGE_PAUSE } from '../database/waiting';
import type { SyncIdentity } from '../identity/identity';
import type { Selection } from '../log/selection';
import type { StreamChange } from '../log/entry';
import { FIRST_PAGE_ENTRIES, nextPageEntries, type Backlog, type StreamResync } from './backlog';
import type { ChangeStreamHub, HubSubscriber } from './change-stream-hub';
import { Follower, type FollowerBounds } from './follower';
import type { ScopeWatch } from './scope-watches';

/** The identity may not use the scope any more: nothing more of it comes. */
export interface StreamScopeLost {
  readonly kind: 'scope_lost';
  readonly scope: string;
}

/**
 * What a subscription yields. After `resync` it ends: the client needs a full resync before it subscribes again. After
 * `scope_lost` it ends too.
 */
export type StreamMessage = StreamChange | StreamResync | StreamScopeLost;

export interface SubscriptionQuery {
  readonly scopeId: string;
  readonly since: Cursor | undefined;
  /** Authorized already. */
  readonly selection: Selection;
  readonly bounds: FollowerBounds;
  /** The right to be there, where the app may take it back. Closed with the subscription. */
  readonly watch?: ScopeWatch | undefined;
}

/** Where all subscribers of a process read from. */
export interface StreamSource {
  readonly hub: ChangeStreamHub;
  readonly backlog: Backlog;
}

/**
 * One subscriber's way through its scope's log. Nothing is read ahead of the consumer beyond the bounds, and a consumer
 * that stops for a while costs nobody else anything. While the database or the change stream is away it waits.
 *
 * Use it once, in one of two ways: {@link open}, {@link next}, {@link close}, without a promise an entry and with
 * nothing but this object while the log is quiet; or with `for await`, which ends after a `resync` or a `scope_lost`, or
 * with the signal.
 */
export class StreamSubscription implements AsyncIterable<StreamMessage>, HubSubscriber {
  private readonly follower: Follower<StreamChange>;
  private ready: (() => void) | undefined;
  private detach: (() => void) | undefined;
  private reading = false;
  private retry: NodeJS.Timeout | undefined;
  private ending: StreamResync | { readonly error: unknown } | undefined;
  /** While an iterating consumer holds an entry: one that never comes back may not have used it. */
  private handing: { readonly before: Position | undefined } | undefined;
  private pageEntries = FIRST_PAGE_ENTRIES;
  private failures = 0;

  /** @param signal ends an iteration */
  constructor(
    private readonly query: SubscriptionQuery,
    private readonly source: StreamSource,
    private readonly signal?: AbortSignal,
  ) {
    const since = typeof query.since === 'number' ? undefined : query.since;
    this.follower = new Follower(since, query.selection, query.bounds);
  }

  get collections(): readonly string[] {
    return this.query.selection.names;
  }

  get scope(): string {
    return this.query.scopeId;
  }

  /** Fresh credentials of the same actor. */
  renew(identity: SyncIdentity): void {
    this.query.watch?.renew(identity);
  }

  get since(): Cursor | undefined {
    return this.query.since;
  }

  /**
   * A cursor that the client may keep: everything asked up to it was handed over, and an iterating consumer came back
   * for more. Moves with every entry of the scope, also of collections that were not asked. Undefined until the cursor
   * has been found in the log.
   */
  get position(): Position | undefined {
    return this.handing ? this.handing.before : this.follower.position;
  }

  /** Whether {@link next} would begin to read a page of the log. */
  get wantsPage(): boolean {
    const mayRead = this.query.watch === undefined || this.query.watch.state === 'open';
    return mayRead && this.follower.next === 'read' && !this.ending && !this.reading && !this.retry;
  }

  /** Whether it reads a page, or has one that can be delivered. */
  get holdsPage(): boolean {
    return this.reading || (this.follower.next === 'drain' && this.query.watch?.state !== 'held');
  }

  /** @param ready called, also before this returns, when {@link next} may have something new. It must not throw. */
  open(ready: () => void): void {
    this.ready = ready;
    if (this.query.watch) this.query.watch.wake = () => this.ready?.();
    this.detach = this.source.hub.attach(this.query.scopeId, this);
  }

  /**
   * Takes what comes next: entries in their order, as many as fit into `bytes` but at least one; or a `resync` or a
   * `scope_lost`, after which nothing follows; or nothing for now.
   *
   * @throws SyncError `shutting_down` when the process goes down, `unavailable` when the app could not say for long
   *   whether the scope may be read; errors of the database that waiting does not cure
   */
  next(bytes: number): readonly StreamChange[] | StreamResync | StreamScopeLost | undefined {
    const { ending, follower } = this;
    const { scopeId, watch } = this.query;
    if (watch?.state === 'lost') return { kind: 'scope_lost', scope: scopeId };
    if (watch?.state === 'failed') throw notToBeFoundOut(watch);
    if (ending) {
      if ('error' in ending) throw ending.error;
      return ending;
    }
    if (watch?.state === 'held') return undefined;
    const { next } = follower;
    if (next === 'drain') return follower.drain(bytes);
    if (next === 'read' && !this.reading && !this.retry) void this.readPage();
    return undefined;
  }

  close(): void {
    this.ready = undefined;
    this.query.watch?.close();
    this.detach?.();
    this.detach = undefined;
    clearTimeout(this.retry);
  }

  /** @throws as {@link next} */
  async *[Symbol.asyncIterator](): AsyncGenerator<StreamMessage, void, undefined> {
    const { signal } = this;
    let wake = (): void => undefined;
    const ready = (): void => wake();
    signal?.addEventListener('abort', ready);
    try {
      this.open(ready);
      while (!signal?.aborted) {
        this.handing = { before: this.follower.position };
        const next = this.next(0);
        if (next === undefined) {
          this.handing = undefined;
          await new Promise<void>((resolve) => (wake = resolve));
        } else if ('kind' in next) return yield next;
        else yield* next;
      }
    } finally {
      signal?.removeEventListener('abort', ready);
      this.close();
    }
  }

  offer(entries: readonly StreamChange[]): void {
    let changed = false;
    for (const entry of entries) if (this.follower.offer(entry)) changed = true;
    if (changed) this.ready?.();
  }

  opened(): void {
    this.ready?.();
  }

  lost(): void {
    this.follower.lost();
    this.ready?.();
  }

  closed(): void {
    this.end({ error: new SyncError('shutting_down', 'The server is going down. Open another stream.') });
  }

  private end(ending: StreamResync | { readonly error: unknown }): void {
    this.ending ??= ending;
    this.ready?.();
  }

  private async readPage(): Promise<void> {
    const after = this.source.hub.seenUpTo;
    // Without a stream there is no point to read up to: opened() comes.
    if (!after) return;
    const { scopeId, selection } = this.query;
    this.reading = true;
    // From here on what is dispatched is kept, and the page sees what was dispatched before: no gap.
    this.follower.begin();
    try {
      // A seq leads to its version, from which the follower goes on.
      const since = this.follower.readFrom ?? this.query.since;
      const query = { since, selection, limit: this.pageEntries, after };
      const answer = await this.source.backlog.read(scopeId, query);
      this.failures = 0;
      if ('kind' in answer) return this.end(answer);
      this.follower.page(answer);
      this.pageEntries = nextPageEntries(answer.entries, this.query.bounds.bytes);
    } catch (error) {
      this.follower.abandon();
      if (!isPassing(error)) return this.end({ error });
      this.retryLater();
    } finally {
      this.reading = false;
    }
    this.ready?.();
  }

  private retryLater(): void {
    if (!this.ready) return;
    this.failures += 1;
    this.retry = setTimeout(
      () => {
        this.retry = undefined;
        this.ready?.();
      },
      fullJitter(this.failures, OUTAGE_PAUSE, Math.random()),
    );
  }
}

function notToBeFoundOut({ right }: ScopeWatch): SyncError {
  return new SyncError('unavailable', 'What may be read could not be found out. Subscribe again later.', {
    cause: right.failure,
  });
}
