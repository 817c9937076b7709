import { Inject, Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { CollectionRegistry } from '../collections/collection-registry.service';
import type { SyncIdentity } from '../identity/identity';
import { SyncMetrics } from '../metrics/metrics';
import { OplogRepository } from '../oplog/oplog.repository';
import {
  FullResyncRequired,
  parsePullQuery,
  PullPage,
  type PullAnswer,
  type PullRequest,
  type PulledEntry,
  type ResyncReason,
} from '../protocol/pull';
import type { SyncSettings } from '../sync.settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../sync.tokens';
import { headPage, lookFor, pageOf, rowsToRead } from './cursor';

/** About how much wire text a page holds at the most, in characters (invariant 9). A larger page is given in parts. */
export const MAX_PAGE_CHARS = 8 << 20;

export interface PageQuery {
  /** A version, or undefined for the beginning. */
  readonly since: string | undefined;
  /** Names that the identity may read: not checked here. */
  readonly collections: readonly string[];
  readonly limit: number;
  /** See at least what was committed up to here. */
  readonly after?: mongo.Timestamp;
}

/** Reads a scope's log from a cursor on (invariants 3, 5, 7). */
@Injectable()
export class PullService {
  constructor(
    @Inject(OplogRepository) private readonly oplog: OplogRepository,
    @Inject(CollectionRegistry) private readonly collections: CollectionRegistry,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
  ) {}

  /**
   * One page of what is new since a cursor, in the order of the versions.
   *
   * @throws SyncError `invalid_cursor`, `invalid_limit`, `malformed_request`, `unknown_collection`, `forbidden`
   */
  async pull(identity: SyncIdentity, request: PullRequest = {}): Promise<PullAnswer> {
    const started = performance.now();
    const { since, collections, limit } = parsePullQuery(request, this.settings);
    const readable = await this.collections.readable(identity, collections);
    const names = readable.map(({ name }) => name);
    const answer = await this.page(identity.scopeId, { since, collections: names, limit });
    const served = answer instanceof PullPage ? answer.entries.length : 0;
    this.metrics.pull(served, (performance.now() - started) / 1000);
    return answer;
  }

  /** One page for collections that are authorized already: what `pull` and a subscriber's backlog are made of. */
  async page(scopeId: string, query: PageQuery): Promise<PullAnswer> {
    let page = await this.look(scopeId, query);
    if (page === 'unknown_cursor') {
      // A primary elected a moment ago may not show yet what its predecessor acknowledged. Nobody is sent to load
      // everything anew before this one has caught up with the majority.
      await this.oplog.readHead(scopeId, { linearizable: true });
      page = await this.look(scopeId, query);
    }
    return page instanceof PullPage ? page : new FullResyncRequired(query.collections, page);
  }

  /**
   * Head, then entries, in one causally consistent session: the entries are never older than the head, also when the
   * primary changes in between. Otherwise last_seq could pass entries that were not given.
   */
  private async look(scopeId: string, query: PageQuery): Promise<PullPage | ResyncReason> {
    const session = this.oplog.client.startSession({ causalConsistency: true });
    try {
      if (query.after) session.advanceOperationTime(query.after);
      const head = await this.oplog.readHead(scopeId, { session });
      const look = lookFor(query.since, head);
      if (look.at === 'gone') return look.reason;
      if (look.at === 'head' || !head) return headPage(head);
      const wanted = rowsToRead(look, query.limit);
      const rows = await this.oplog.readEntries({
        scopeId,
        since: look.from,
        collections: query.collections,
        limit: wanted,
        maxChars: MAX_PAGE_CHARS,
        session,
      });
      const cutShort = rows.length < wanted && charsAbove(look.from, rows) >= MAX_PAGE_CHARS;
      return pageOf(look, head, rows, query.limit, cutShort);
    } finally {
      await session.endSession();
    }
  }
}

/** What `maxChars` of the repository counts. */
function charsAbove(since: string | undefined, rows: readonly PulledEntry[]): number {
  return rows.reduce((chars, { version, wire }) => (version === since ? chars : chars + wire.length), 0);
}
