import type { Position } from 'nest-offline-sync-protocol';
import type { Selection } from '../log/selection';

/** What the follower looks at in an entry. The change stream's entries tell their collection, those of a page need not. */
export interface Sized extends Position {
  readonly bytes: number;
  readonly collection?: string;
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
  readonly end: Position;
}

/**
 * Follows one scope's log for one subscriber: pages of the backlog until the end, then what the change stream
 * dispatches, and back to pages when the subscriber lags or the stream was lost. Gives each asked entry above the
 * cursor exactly once, in order, without a gap (invariant 3), and holds no more than the bounds and one page
 * (invariant 9). Only decides: reading, waiting and delivering are the shell's.
 *
 * A page closes the gap by itself: what is dispatched while it is being read is buffered, and the read sees at least
 * what was dispatched before it began. `seq` has no holes inside a scope, so that a missing dispatch shows at once.
 *
 * ```
 *              begin()                        page(): its end is the end of the log, nothing was let go
 *   behind ─────────────▶ reading ───────────────────────────────────────────────────────────▶ live
 *   ▲    ▲                  │  │ offer(): held back until the page is here;                    │  │ offer(): queued
 *   │    └──────────────────┘  │ let go when that is too much                                  │  │ when it is next
 *   │      page(): there is more, or something was let go; abandon()                           │
 *   └──────────────────────────────────────────────────────────────────────────────────────────┘
 *          offer(): an entry is missing before it, or too much is queued already; lost()
 * ```
 * In each stage what is queued is drained first ({@link next}); then behind asks for a read, live waits.
 */
export class Follower<E extends Sized> {
  private stage: 'behind' | 'reading' | 'live' = 'behind';
  /** What may be delivered. Everything in it is in order and committed, whatever happens to the stream. */
  private queue: E[] = [];
  private queuedBytes = 0;
  /** What was dispatched while a page is being read; undefined once that was too much. */
  private pending: E[] | undefined;
  private pendingBytes = 0;
  /**
   * Everything asked up to here is delivered or queued. Two bare fields, not an entry and not an object: there are many
   * subscribers, none may hold an entry's text, and this moves with every entry.
   */
  private tailSeq = UNPLACED;
  private tailVersion = '';
  /** Everything asked up to here is delivered, while some still wait. */
  private deliveredSeq = UNPLACED;
  private deliveredVersion = '';

  /**
   * @param since the client's cursor; undefined starts at the beginning of the log
   * @param asked what the subscriber wants
   */
  constructor(
    private readonly since: string | undefined,
    private readonly asked: Pick<Selection, 'has'>,
    private readonly bounds: FollowerBounds,
  ) {}

  /** What the shell has to do next: deliver an entry, read a page, or wait until {@link offer} or {@link lost} says so. */
  get next(): 'drain' | 'read' | 'wait' {
    if (this.queue.length > 0) return 'drain';
    return this.stage === 'live' ? 'wait' : 'read';
  }

  get live(): boolean {
    return this.stage === 'live';
  }

  /** The cursor that the next page starts at. */
  get readFrom(): string | undefined {
    return this.tailSeq === UNPLACED ? this.since : this.tailVersion;
  }

  /** A cursor that the client may keep: everything asked up to it was delivered. Undefined before the first page. */
  get position(): Position | undefined {
    return this.queue.length === 0
      ? placeOf(this.tailSeq, this.tailVersion)
      : placeOf(this.deliveredSeq, this.deliveredVersion);
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
  offer(entry: E): boolean {
    if (this.stage === 'reading') this.hold(entry);
    if (this.stage !== 'live' || entry.seq <= this.tailSeq) return false;
    const wanted = this.asked.has(entry);
    if (entry.seq !== this.tailSeq + 1 || (wanted && !this.hasRoom(entry))) this.stage = 'behind';
    else if (wanted) this.push(entry);
    else this.advance(entry);
    return wanted || !this.live;
  }

  /** The change stream was lost: what it would have dispatched has to be read. */
  lost(): void {
    this.pending = undefined;
    if (this.live) this.stage = 'behind';
  }

  /**
   * Hands over what waits, from its oldest on: as many entries as fit into `bytes`, at least one. Only when {@link next}
   * is `drain`.
   */
  drain(bytes: number): readonly E[] {
    const count = this.fitting(bytes);
    const run = count === this.queue.length ? this.queue : this.queue.splice(0, count);
    if (run === this.queue) this.queue = [];
    for (const entry of run) this.queuedBytes -= entry.bytes;
    const last = run.at(-1);
    if (last) {
      this.deliveredSeq = last.seq;
      this.deliveredVersion = last.version;
    }
    return run;
  }

  private fitting(bytes: number): number {
    if (this.queuedBytes <= bytes) return this.queue.length;
    let count = 0;
    let sum = 0;
    for (const entry of this.queue) {
      sum += entry.bytes;
      if (sum > bytes && count > 0) break;
      count += 1;
    }
    return count;
  }

  private push(entry: E): void {
    if (this.queue.length === 0) {
      this.deliveredSeq = this.tailSeq;
      this.deliveredVersion = this.tailVersion;
    }
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

  private hold(entry: E): void {
    if (!this.pending) return;
    this.pending.push(entry);
    this.pendingBytes += entry.bytes;
    if (this.pending.length > this.bounds.entries || this.pendingBytes > this.bounds.bytes)
      this.pending = undefined;
  }

  private advance(to: Position): void {
    if (to.seq <= this.tailSeq) return;
    this.tailSeq = to.seq;
    this.tailVersion = to.version;
  }
}

/** Before the first page: no place of a log. */
const UNPLACED = -1;

function placeOf(seq: number, version: string): Position | undefined {
  return seq === UNPLACED ? undefined : { version, seq };
}
