import type { LogPosition } from './stream-entry';

export interface FollowedEntry extends LogPosition {
  readonly bytes: number;
}

/** How much may wait for one subscriber. A single entry above `bytes` still passes, alone. */
export interface FollowerBounds {
  readonly entries: number;
  readonly bytes: number;
}

/** One read of the backlog, from {@link Follower.readFrom} on. */
export interface BacklogPage<E> {
  /** Entries of the asked collections above the cursor, in order, without a gap. */
  readonly entries: readonly E[];
  /** Whether the log may go on behind them. */
  readonly more: boolean;
  /** Everything asked up to here is among the entries: the last of them, or the scope's head read before them. */
  readonly end: LogPosition;
}

/**
 * Follows one scope's log for one subscriber: pages of the backlog until the end, then what the change stream
 * dispatches, and back to pages when the subscriber lags or the stream was lost. Gives each asked entry above the
 * cursor exactly once, in order, without a gap (invariant 3), and holds no more than the bounds and one page
 * (invariant 9). Only decides: reading, waiting and delivering are the shell's.
 *
 * A page closes the gap by itself: what is dispatched while it is being read is buffered, and the read sees at least
 * what was dispatched before it began. `seq` has no holes inside a scope, so that a missing dispatch shows at once.
 */
export class Follower<E extends FollowedEntry> {
  private stage: 'behind' | 'reading' | 'live' = 'behind';
  /** What may be delivered. Everything in it is in order and committed, whatever happens to the stream. */
  private readonly queue: E[] = [];
  private queuedBytes = 0;
  /** What was dispatched while a page is being read; undefined once that was too much. */
  private pending: (E & { readonly collection: string })[] | undefined;
  private pendingBytes = 0;
  /** Everything asked up to here is delivered or queued. */
  private tail: LogPosition | undefined;
  /** Everything asked up to here is delivered, while some still wait. */
  private delivered: LogPosition | undefined;

  /**
   * @param since the client's cursor; undefined starts at the beginning of the log
   * @param asked the collections that the subscriber wants
   */
  constructor(
    private readonly since: string | undefined,
    private readonly asked: ReadonlySet<string>,
    private readonly bounds: FollowerBounds,
  ) {}

  /** What the shell has to do next: deliver an entry, read a page, or wait until {@link offer} or {@link lost} says so. */
  get next(): 'take' | 'read' | 'wait' {
    if (this.queue.length > 0) return 'take';
    return this.stage === 'live' ? 'wait' : 'read';
  }

  get live(): boolean {
    return this.stage === 'live';
  }

  /** The cursor that the next page starts at. */
  get readFrom(): string | undefined {
    return this.tail?.version ?? this.since;
  }

  /** A cursor that the client may keep: everything asked up to it was delivered. Undefined before the first page. */
  get position(): LogPosition | undefined {
    return this.queue.length === 0 ? this.tail : this.delivered;
  }

  /** The shell is about to read a page that sees at least what was dispatched so far. */
  begin(): void {
    this.stage = 'reading';
    this.pending = [];
    this.pendingBytes = 0;
  }

  /** The page came. Goes live when it reaches the end of the log and nothing that came meanwhile had to be let go. */
  page(page: BacklogPage<E>): void {
    const pending = this.pending;
    this.pending = undefined;
    for (const entry of page.entries) this.push(entry);
    this.advance(page.end);
    this.stage = page.more || !pending ? 'behind' : 'live';
    if (this.live) for (const entry of pending ?? []) this.offer(entry);
  }

  /** The page could not be read. It will be asked for again. */
  abandon(): void {
    this.pending = undefined;
    this.stage = 'behind';
  }

  /**
   * The change stream dispatched an entry of the scope, of whatever collection.
   *
   * @returns whether {@link next} may have changed
   */
  offer(entry: E & { readonly collection: string }): boolean {
    if (this.stage === 'reading') this.hold(entry);
    if (this.stage !== 'live' || !this.tail || entry.seq <= this.tail.seq) return false;
    const wanted = this.asked.has(entry.collection);
    if (entry.seq !== this.tail.seq + 1 || (wanted && !this.hasRoom(entry))) this.stage = 'behind';
    else if (wanted) this.push(entry);
    else this.advance(entry);
    return wanted || !this.live;
  }

  /** The change stream was lost: what it would have dispatched has to be read. */
  lost(): void {
    this.pending = undefined;
    if (this.live) this.stage = 'behind';
  }

  /** Hands over the next entry. Only when {@link next} is `take`. */
  take(): E | undefined {
    const entry = this.queue.shift();
    if (!entry) return undefined;
    this.queuedBytes -= entry.bytes;
    this.delivered = placeOf(entry);
    return entry;
  }

  private push(entry: E): void {
    if (this.queue.length === 0) this.delivered = this.tail;
    this.queue.push(entry);
    this.queuedBytes += entry.bytes;
    this.advance(entry);
  }

  private hasRoom(entry: E): boolean {
    const { entries, bytes } = this.bounds;
    return (
      this.queue.length === 0 || (this.queue.length < entries && this.queuedBytes + entry.bytes <= bytes)
    );
  }

  private hold(entry: E & { readonly collection: string }): void {
    if (!this.pending) return;
    this.pending.push(entry);
    this.pendingBytes += entry.bytes;
    if (this.pending.length > this.bounds.entries || this.pendingBytes > this.bounds.bytes)
      this.pending = undefined;
  }

  private advance(to: LogPosition): void {
    if (this.tail === undefined || to.seq > this.tail.seq) this.tail = placeOf(to);
  }
}

/** The bare place, so that no entry's text is held for it. */
function placeOf({ version, seq }: LogPosition): LogPosition {
  return { version, seq };
}
