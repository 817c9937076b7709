import { formatHlc, ZERO_VERSION, type ResyncReason } from 'nest-offline-sync-protocol';
import type { PullPage } from '../../libs/sync/src/pull/page';
import {
  headPage,
  locateCursor,
  pageOf,
  rowsToRead,
  type HeadView,
  type Look,
} from '../../libs/sync/src/pull/cursor';

export interface LoggedEntry {
  readonly seq: number;
  readonly version: string;
  readonly collection: string;
  readonly bytes: number;
  readonly wire: Buffer;
}

/** A page on its way: the head is read, the rows are not. */
export interface OpenRead {
  readonly since: string | undefined;
  readonly asked: ReadonlySet<string>;
  readonly limit: number;
  readonly head: HeadView | null;
  /** The floor when the read began: what is above it stays until the read is over. */
  readonly floorSeq: number;
}

/**
 * One scope's log in memory. Entries stay in {@link entries} forever, so that a test knows what there was; what trimming
 * has removed is above {@link removedSeq} no more.
 */
export class ScopeLog {
  readonly entries: LoggedEntry[] = [];
  floorSeq = 0;
  removedSeq = 0;
  private readonly open = new Set<OpenRead>();
  private ms = 1_777_000_000_000;

  /** @param step milliseconds since the entry before; 0 counts on */
  append(collection: string, step = 1, bytes = 1): LoggedEntry {
    this.ms += step;
    const seq = this.entries.length + 1;
    const version = formatHlc({ ms: this.ms, counter: seq, node: 'log' });
    const entry = { seq, version, collection, bytes, wire: Buffer.from(String(seq)) };
    this.entries.push(entry);
    return entry;
  }

  raise(toSeq: number): void {
    this.floorSeq = Math.max(this.floorSeq, Math.min(toSeq, this.entries.length));
  }

  /** Removes up to `toSeq` as far as that is below the floor of every read that is under way: that is what the grace is for. */
  remove(toSeq: number): void {
    const floors = [...this.open].map((read) => read.floorSeq);
    this.removedSeq = Math.max(this.removedSeq, Math.min(toSeq, this.floorSeq, ...floors));
  }

  get head(): HeadView | null {
    return this.headAt(this.entries.length);
  }

  /** The head as a primary shows it that has not heard of the newest entries yet. */
  headAt(seq: number): HeadView | null {
    const last = this.entries[seq - 1];
    const floor = this.entries[this.floorSeq - 1]?.version ?? ZERO_VERSION;
    return last ? { version: last.version, seq: last.seq, floor } : null;
  }

  begin(since: string | undefined, asked: ReadonlySet<string>, limit: number, head = this.head): OpenRead {
    const read = { since, asked, limit, head, floorSeq: this.floorSeq };
    this.open.add(read);
    return read;
  }

  abandon(read: OpenRead): void {
    this.open.delete(read);
  }

  /** The rows, as they are by now. @param cut rows after which the reader says that the page is full */
  finish(read: OpenRead, cut = Infinity): PullPage | ResyncReason {
    this.open.delete(read);
    const { since, head, limit } = read;
    const look = locateCursor(since, head);
    if (look.at === 'gone') return look.reason;
    if (look.at === 'head' || !head) return headPage(head);
    const rows = this.rows(look, read);
    const above = rows.filter(({ version }) => version !== look.from);
    if (above.length <= cut) return pageOf(look, head, rows, limit);
    return pageOf(look, head, rows.slice(0, rows.length - above.length + cut), limit, true);
  }

  seqOf(version: string): number {
    return this.entries.find((entry) => entry.version === version)?.seq ?? 0;
  }

  /** What a reader that has everything up to `above` still has to get, up to `upTo`. */
  wanted(asked: ReadonlySet<string>, above: number, upTo = Infinity): number[] {
    return this.entries
      .filter(({ seq, collection }) => seq > above && seq <= upTo && asked.has(collection))
      .map(({ seq }) => seq);
  }

  private rows(look: Look & { at: 'log' }, { asked, limit }: OpenRead): LoggedEntry[] {
    return this.entries
      .slice(this.removedSeq)
      .filter(({ version }) => look.from === undefined || version >= look.from)
      .filter(({ version, collection }) => version === look.from || asked.has(collection))
      .slice(0, rowsToRead(look, limit));
  }
}
