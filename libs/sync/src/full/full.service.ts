import { Inject, Injectable } from '@nestjs/common';
import { parseFullQuery, SyncError, ZERO_VERSION, type FullRequest } from 'nest-offline-sync-protocol';
import { SYNC_FIELDS, type StoredId } from '../codec/stored-document';
import { CollectionRegistry } from '../collections/collection-registry';
import type { SyncedCollection } from '../collections/collection';
import { decodeStored } from '../collections/native-collection';
import { SYNCED_COLLECTION_INDEX } from '../database/indexes';
import { within } from '../database/waiting';
import { Admission } from '../identity/admission';
import type { SyncIdentity } from '../identity/identity';
import { ScopeAccess } from '../identity/scope-access';
import { SyncMetrics } from '../metrics/metrics';
import { OplogRepository } from '../log/oplog';
import { Selection } from '../log/selection';
import { locateCursor } from '../pull/cursor';
import type { SyncSettings } from '../options/settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../options/tokens';
import { LineWriter, StartedLines } from './lines';
import { decodePageToken, encodePageToken, invalidPageCursor, type PageToken } from './page-token';
import { ALL_IDS, idFromJson, idToJson, ScopeView, type IdRange } from './scope-view';

/** One answer of a full resync. */
export interface FullPage {
  /** Pull from here when all pages are loaded. The same on every page: marked before the first document was read. */
  readonly lastSeq: string;
  /** The same as an integer; undefined when its entry has been trimmed meanwhile. */
  readonly seq: number | undefined;
  /** About how many rows there are in all, where that was asked for and could be counted in time. */
  readonly count: number | undefined;
  /** The next page's `cursor`; undefined on the last. */
  readonly nextCursor: string | undefined;
  /**
   * NDJSON in UTF-8, in chunks of whole lines, of up to about 64 kB, without the end line of the route. Read them to the
   * end or call `return()`.
   */
  readonly lines: StartedLines<Buffer>;
}

/** A part of a page: documents of one collection. */
interface Section {
  readonly collection: SyncedCollection;
  readonly range: IdRange;
}

/** Chunks are given when they have grown to this many bytes, and whenever a batch of the database ends. */
const CHUNK_BYTES = 64 << 10;
/** Longest that rows are counted. Milliseconds. */
const COUNT_LIMIT_MS = 300;

/** Gives a scope's documents as they stand, with the cursor to pull from afterwards (invariants 5, 6, 9). */
@Injectable()
export class FullService {
  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
    private readonly admission: Admission,
    private readonly access: ScopeAccess,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
  ) {}

  /**
   * Opens a page: all that can be refused is refused here, and the first documents have been read.
   *
   * @throws SyncError `invalid_cursor`, `invalid_limit`, `malformed_request`, `scope_forbidden`, `unknown_collection`,
   *   `forbidden`, `full_resync_disabled`, `client_outdated`
   */
  async open(identity: SyncIdentity, request: FullRequest = {}): Promise<FullPage> {
    const started = performance.now();
    const query = parseFullQuery(request, this.settings);
    const reader = await this.admission.admit(identity, query);
    const { scopeId } = reader;
    const known = this.collections.names();
    const token = query.cursor === undefined ? undefined : decodePageToken(query.cursor, scopeId, known);
    const start = token ? idFromJson(token.from) : { id: ALL_IDS.from };
    const asked = query.collections && new Selection(query.collections);
    const begun = token && new Selection(token.collections);
    if (!start || (begun && asked && !begun.isSameAs(this.living(asked, scopeId)))) throw invalidPageCursor();
    const { selection, collections } = await this.select(reader, begun ?? asked);
    const counted = query.count && !token ? this.countOf(scopeId, collections) : undefined;
    const { view, lastSeq, seq } = await this.look(scopeId, token?.lastSeq);
    try {
      const plan = await planPage(view, collections, token?.index ?? 0, start.id, query.limit);
      const nextCursor =
        plan.next &&
        encodePageToken(
          {
            scope: scopeId,
            collections: selection.names,
            index: plan.next.index,
            from: idToJson(plan.next.from),
            lastSeq,
          },
          known,
        );
      const done = (): void => {
        this.metrics.fullResync((performance.now() - started) / 1000);
      };
      const { tombstones } = query;
      const lines = encode(view, scopeId, plan.sections, this.access.stillIn(reader), done, tombstones);
      return { lastSeq, seq, nextCursor, count: await counted, lines: await StartedLines.of(lines) };
    } catch (error) {
      await view.close();
      throw error;
    }
  }

  /** By the index alone, and no longer than a moment: it only helps a progress bar. Tombstones count. */
  private async countOf(
    scopeId: string,
    collections: readonly SyncedCollection[],
  ): Promise<number | undefined> {
    const options = { hint: { ...SYNCED_COLLECTION_INDEX.key }, maxTimeMS: COUNT_LIMIT_MS };
    try {
      const counts = await within(COUNT_LIMIT_MS, () =>
        Promise.all(
          collections.map(({ store }) => store.countDocuments({ [SYNC_FIELDS.scope]: scopeId }, options)),
        ),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    } catch {
      return undefined;
    }
  }

  /** Without those that do not live in the scope: a page token has none of them either. */
  private living({ names }: Selection, scopeId: string): Selection {
    return new Selection(names.filter((name) => this.collections.get(name)?.livesIn(scopeId) ?? true));
  }

  /** In the order in which they were asked for, or configured. */
  private async select(
    identity: SyncIdentity,
    asked: Selection | undefined,
  ): Promise<{ selection: Selection; collections: readonly SyncedCollection[] }> {
    const readable = await this.collections.readable(identity, asked?.names);
    const locked = readable.find(({ allowFullResync }) => !allowFullResync);
    if (asked && locked)
      throw new SyncError(
        'full_resync_disabled',
        `The collection "${locked.name}" gives no full resync. Leave it out of collections.`,
        { path: 'collections' },
      );
    const collections = readable.filter(({ allowFullResync }) => allowFullResync);
    return { selection: new Selection(collections.map(({ name }) => name)), collections };
  }

  /** The view that the page is read from, and the cursor of the whole resync. */
  private async look(
    scopeId: string,
    marked: string | undefined,
  ): Promise<{ view: ScopeView; lastSeq: string; seq: number | undefined }> {
    let found = await this.openView(scopeId, marked);
    if (!found) {
      // As in pull: a primary elected a moment ago may only lag behind.
      await this.oplog.readHead(scopeId, { linearizable: true });
      found = await this.openView(scopeId, marked);
    }
    if (found) return found;
    throw new SyncError(
      'invalid_cursor',
      'This full resync has taken longer than the log is kept, or the database was replaced meanwhile. Start it again without a cursor.',
      { path: 'cursor' },
    );
  }

  private async openView(
    scopeId: string,
    marked: PageToken['lastSeq'] | undefined,
  ): Promise<{ view: ScopeView; lastSeq: string; seq: number | undefined } | undefined> {
    const view = new ScopeView(this.oplog, scopeId);
    try {
      // Before any document: from this cursor on, pull gives what these reads may miss.
      const head = await view.head();
      const lastSeq = marked ?? head?.version ?? ZERO_VERSION;
      if (marked === undefined || marked === head?.version) return { view, lastSeq, seq: head?.seq ?? 0 };
      if (locateCursor(marked, head).at !== 'gone')
        return { view, lastSeq, seq: await this.oplog.seqOf(scopeId, marked) };
    } catch (error) {
      await view.close();
      throw error;
    }
    await view.close();
    return undefined;
  }
}

/**
 * Which documents the page holds, and where the next one starts, by looking at ids alone: the next cursor has to be
 * known before the body streams. Pages are half-open ranges of ids, so none is given twice or left out at a border.
 */
async function planPage(
  view: ScopeView,
  collections: readonly SyncedCollection[],
  startIndex: number,
  startId: StoredId,
  limit: number,
): Promise<{ sections: readonly Section[]; next?: { index: number; from: StoredId } }> {
  const sections: Section[] = [];
  let room = limit;
  for (const [offset, collection] of collections.slice(startIndex).entries()) {
    const index = startIndex + offset;
    const rest: IdRange = { from: offset === 0 ? startId : ALL_IDS.from, to: ALL_IDS.to };
    const border = limit === 0 ? undefined : await view.idAt(collection.store, rest, room);
    if (room > 0 || limit === 0)
      sections.push({ collection, range: border ? { ...rest, to: border.id } : rest });
    if (border) return { sections, next: { index, from: border.id } };
    if (limit > 0 && index < collections.length - 1)
      room = Math.max(0, room - (await view.count(collection.store, rest)));
  }
  return { sections };
}

async function* encode(
  view: ScopeView,
  scopeId: string,
  sections: readonly Section[],
  stillIn: (() => Promise<void>) | undefined,
  done: () => void,
  tombstones: boolean,
): AsyncGenerator<Buffer, undefined, undefined> {
  try {
    for (const { collection, range } of sections) {
      const lines = new LineWriter(collection, scopeId, decodeStored, CHUNK_BYTES, tombstones);
      for await (const batch of view.batches(collection.store, range)) {
        for (const document of batch) {
          lines.write(document);
          if (lines.length < CHUNK_BYTES) continue;
          yield lines.take();
          await stillIn?.();
        }
        if (lines.length > 0) yield lines.take();
        await stillIn?.();
      }
    }
  } finally {
    await view.close();
    done();
  }
}
