import { Inject, Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import {
  parsePullQuery,
  ZERO_VERSION,
  type Cursor,
  type PullRequest,
  type ResyncReason,
} from 'nest-offline-sync-protocol';
import { Selection } from '../log/selection';
import { CollectionRegistry } from '../collections/collection-registry';
import { Admission } from '../identity/admission';
import type { SyncIdentity } from '../identity/identity';
import { SyncMetrics } from '../metrics/metrics';
import type { DevicePosition } from '../register/device-batch';
import { Register } from '../register/register';
import { OplogRepository } from '../log/oplog';
import { FullResyncRequired, PullPage, type PullAnswer } from './page';
import type { LogEntry } from '../log/entry';
import type { HeadRecord } from '../log/records';
import type { SyncSettings } from '../options/settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../options/tokens';
import { headPage, locateCursor, locateSeq, pageOf, rowsToRead, type Look } from './cursor';
import { SharedReads } from './shared-reads';

/** A page holds at most about this many bytes of wire text (invariant 9). A larger page is given in parts. */
const MAX_PAGE_BYTES = 8 << 20;

/** How heads are read for many pulls at once. */
const HEAD_READS = { keys: 500, patienceMs: 50, atOnce: 4 };

/** A scope's head, and the time after which a read sees all that it tells of. */
interface SeenHead {
  readonly head: HeadRecord | null;
  readonly time: mongo.Timestamp | undefined;
}

export interface PageQuery {
  /** Undefined for the beginning. */
  readonly since: Cursor | undefined;
  /** What the identity may read: not checked here. */
  readonly selection: Selection;
  readonly limit: number;
  /** See at least what was committed up to here. */
  readonly after?: mongo.Timestamp;
}

/** Reads a scope's log from a cursor on (invariants 3, 5, 7). */
@Injectable()
export class PullService {
  private readonly heads: SharedReads<SeenHead>;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
    private readonly admission: Admission,
    private readonly register: Register,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
  ) {
    this.heads = new SharedReads((scopeIds) => this.readHeads(scopeIds), HEAD_READS);
  }

  /**
   * One page of what is new since a cursor, in the order of the versions.
   *
   * @throws SyncError `invalid_cursor`, `invalid_limit`, `malformed_request`, `scope_forbidden`, `unknown_collection`,
   *   `forbidden`, `client_outdated`
   */
  async pull(identity: SyncIdentity, request: PullRequest = {}): Promise<PullAnswer> {
    const started = performance.now();
    const { since, collections, limit, ...envelope } = parsePullQuery(request, this.settings);
    const reader = await this.admission.admit(identity, envelope);
    const readable = await this.collections.readable(reader, collections);
    const selection = new Selection(readable.map(({ name }) => name));
    const answer = await this.page(reader.scopeId, { since, selection, limit });
    this.register.saw(reader, 'pull', envelope, positionAfter(answer, since));
    const served = answer instanceof PullPage ? answer.entries.length : 0;
    this.metrics.pull(served, (performance.now() - started) / 1000);
    return answer;
  }

  /** One page for collections that are authorized already: what `pull` and a subscriber's backlog are made of. */
  async page(scopeId: string, query: PageQuery): Promise<PullAnswer> {
    let page = await this.look(scopeId, query);
    if (page === 'unknown_cursor') {
      // A primary elected a moment ago may not show yet what its predecessor acknowledged. Nobody is sent to load
      // everything again before this one has caught up with the majority.
      await this.oplog.readHead(scopeId, { linearizable: true });
      page = await this.look(scopeId, query);
    }
    return page instanceof PullPage ? page : new FullResyncRequired(query.selection.names, page);
  }

  /**
   * Head, then entries, and the entries are never older than the head, also when the primary changes in between.
   * Otherwise last_seq could pass entries that were not given.
   */
  private async look(scopeId: string, query: PageQuery): Promise<PullPage | ResyncReason> {
    const { head, time } = query.after
      ? (await this.readHeads([scopeId], query.after))(scopeId)
      : await this.heads.get(scopeId);
    const look = await this.locate(scopeId, query.since, { head, time });
    if (look.at === 'gone') return look.reason;
    if (look.at === 'head' || !head) return headPage(head);
    const wanted = rowsToRead(look, query.limit);
    const read = await this.oplog.readEntries({
      scopeId,
      since: look.from,
      selection: query.selection,
      limit: wanted,
      maxBytes: MAX_PAGE_BYTES,
      after: time,
    });
    const cutShort = read.length < wanted && bytesAbove(look.from, read) >= MAX_PAGE_BYTES;
    const rows = this.redacted(read, query.selection);
    return pageOf(look, head, rows, query.limit, cutShort);
  }

  private async locate(scopeId: string, since: Cursor | undefined, { head, time }: SeenHead): Promise<Look> {
    if (typeof since !== 'number') return locateCursor(since, head);
    const look = locateSeq(since, head);
    if (look.at !== 'entry') return look;
    const version = await this.oplog.versionOf(scopeId, since, time);
    return version === undefined ? { at: 'gone', reason: 'unknown_cursor' } : locateCursor(version, head);
  }

  private redacted(rows: readonly LogEntry[], { names }: Selection): readonly LogEntry[] {
    if (!names.some((name) => this.collections.get(name)?.rules.form?.hasSecrets)) return rows;
    return rows.map((row) => {
      const { version, seq, wire } = row;
      return { version, seq, wire: this.collections.redacted(wire) };
    });
  }

  private async readHeads(
    scopeIds: readonly string[],
    after?: mongo.Timestamp,
  ): Promise<(scopeId: string) => SeenHead> {
    const { heads, time } = await this.oplog.readHeads(scopeIds, after);
    return (scopeId) => ({ head: heads.get(scopeId) ?? null, time });
  }
}

/** Up to where the asker has the log now. */
function positionAfter(answer: PullAnswer, since: Cursor | undefined): DevicePosition {
  if (answer instanceof PullPage) return { version: answer.last_seq, seq: answer.seq };
  return typeof since === 'number' ? { seq: since } : { version: since ?? ZERO_VERSION };
}

/** What `maxBytes` of the repository counts. */
function bytesAbove(since: string | undefined, rows: readonly LogEntry[]): number {
  const above = rows[0]?.version === since ? rows.slice(1) : rows;
  return above.reduce((sum, { wire }) => sum + wire.length, 0);
}
