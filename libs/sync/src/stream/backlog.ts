import type { mongo } from 'mongoose';
import type { Cursor, ResyncReason } from 'nest-offline-sync-protocol';
import type { Selection } from '../log/selection';
import { PullPage } from '../pull/page';
import type { PullService } from '../pull/pull.service';
import { StreamChange } from '../log/entry';
import { Turns } from '../database/waiting';
import type { BacklogPage } from './follower';

export const FIRST_PAGE_ENTRIES = 100;
const MAX_PAGE_ENTRIES = 1_000;
const MIN_PAGE_ENTRIES = 10;

/**
 * How many entries the next page may have, so that it holds about `targetBytes` when they are like the last ones.
 *
 * @param entries of the page before
 */
export function nextPageEntries(entries: readonly { readonly bytes: number }[], targetBytes: number): number {
  if (entries.length === 0) return FIRST_PAGE_ENTRIES;
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const fitting = Math.floor((targetBytes * entries.length) / Math.max(1, bytes));
  return Math.max(MIN_PAGE_ENTRIES, Math.min(MAX_PAGE_ENTRIES, fitting));
}

export interface BacklogQuery {
  readonly since: Cursor | undefined;
  readonly selection: Selection;
  readonly limit: number;
  /** {@link ChangeStreamHub.seenUpTo}. */
  readonly after: mongo.Timestamp;
}

/** The client needs a full resync before it can follow the log again. */
export interface StreamResync {
  readonly kind: 'resync';
  readonly reason: ResyncReason;
  readonly collections: readonly string[];
}

export type BacklogAnswer = BacklogPage<StreamChange> | StreamResync;

/** Reads of the log that run side by side: a whole process's subscribers come at once when a stream was lost. */
const READS_AT_ONCE = 8;

/**
 * The log pages of this process's subscribers. Those who ask for the same page at the same point of the change stream
 * share one read, and the entries that it gives.
 */
export class Backlog {
  private readonly turns = new Turns(READS_AT_ONCE);
  private readonly running = new Map<string, Promise<BacklogAnswer>>();

  constructor(private readonly pull: PullService) {}

  read(scopeId: string, query: BacklogQuery): Promise<BacklogAnswer> {
    const { since, selection, limit, after } = query;
    const key = JSON.stringify([scopeId, since ?? null, selection.key, limit, String(after.toBigInt())]);
    const running = this.running.get(key);
    if (running) return running;
    const read = this.turns.run(() => this.page(scopeId, query)).finally(() => this.running.delete(key));
    this.running.set(key, read);
    return read;
  }

  private async page(scopeId: string, query: BacklogQuery): Promise<BacklogAnswer> {
    const page = await this.pull.page(scopeId, query);
    if (!(page instanceof PullPage)) {
      return { kind: 'resync', reason: page.reason, collections: page.collections };
    }
    return {
      entries: page.entries.map(({ version, seq, wire }) => new StreamChange(version, seq, wire)),
      more: page.has_more,
      end: { version: page.last_seq, seq: page.seq },
    };
  }
}
