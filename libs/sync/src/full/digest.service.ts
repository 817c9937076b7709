import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  type CollectionDigest,
  type DigestAnswer,
  type DigestRequest,
  DigestSum,
  SyncError,
  ZERO_VERSION,
  digestText,
  parseDigestQuery,
} from 'nest-offline-sync-protocol';
import { SYNC_FIELDS } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry';
import { decodeStored } from '../collections/native-collection';
import { Admission } from '../identity/admission';
import type { SyncIdentity } from '../identity/identity';
import { ScopeAccess } from '../identity/scope-access';
import { OplogRepository } from '../log/oplog';
import { ALL_IDS, ScopeView } from './scope-view';

/** Digests that one process takes at the same time: each walks over a whole scope. */
const AT_ONCE = 2;
/** Longest that one may take: well below the five minutes that MongoDB keeps a snapshot. Milliseconds. */
const LIMIT_MS = 60_000;
const RETRY_SECONDS = { full: 5, slow: 60 };

/** What a document's number is made of, and whose it is. */
const PROJECTION: Readonly<Record<string, 1>> = {
  _id: 1,
  [SYNC_FIELDS.scope]: 1,
  [SYNC_FIELDS.version]: 1,
  [SYNC_FIELDS.deleted]: 1,
};

/** Counts and hashes what a scope has at one moment (invariants 5, 9). */
@Injectable()
export class DigestService {
  private underWay = 0;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
    private readonly admission: Admission,
    private readonly access: ScopeAccess,
  ) {}

  /**
   * Head and documents are of one snapshot. A document without a version has never gone through sync, and does not count.
   *
   * @throws SyncError `malformed_request`, `identity_changed`, `scope_forbidden`, `unknown_collection`, `forbidden`,
   *   `client_outdated`; `busy` when this process takes enough of them already, or when it takes too long
   */
  async take(identity: SyncIdentity, request: DigestRequest = {}): Promise<DigestAnswer> {
    const { collections: asked, ...envelope } = parseDigestQuery(request);
    const reader = await this.admission.admit(identity, envelope);
    const collections = await this.collections.readable(reader, asked);
    if (this.underWay >= AT_ONCE)
      throw busy('This process takes enough digests already. Try again later.', RETRY_SECONDS.full);
    this.underWay += 1;
    const view = new ScopeView(this.oplog, reader.scopeId);
    try {
      const head = await view.head();
      const tombstoneFloor = head?.tombstoneFloor ?? null;
      const walk = new Walk(view, reader.scopeId, tombstoneFloor, this.access.stillIn(reader));
      const digests: CollectionDigest[] = [];
      for (const collection of collections) digests.push(await walk.digest(collection));
      return {
        last_seq: head?.version ?? ZERO_VERSION,
        seq: head?.seq ?? 0,
        tombstone_floor: tombstoneFloor,
        collections: digests,
      };
    } finally {
      this.underWay -= 1;
      await view.close();
    }
  }
}

class Walk {
  private readonly ends = performance.now() + LIMIT_MS;

  constructor(
    private readonly view: ScopeView,
    private readonly scopeId: string,
    private readonly tombstoneFloor: string | null,
    private readonly stillIn: (() => Promise<void>) | undefined,
  ) {}

  async digest(collection: SyncedCollection): Promise<CollectionDigest> {
    const [live, deleted] = [new DigestSum(), new DigestSum()];
    for await (const batch of this.view.batches(collection.store, ALL_IDS, PROJECTION)) {
      for (const document of batch) {
        const stored = decodeStored(document);
        const version = stored[SYNC_FIELDS.version];
        // MongoDB takes a list that holds the scope for the scope: a document in two scopes is in none.
        if (stored[SYNC_FIELDS.scope] !== this.scopeId || typeof version !== 'string') continue;
        const isDeleted = stored[SYNC_FIELDS.deleted] === true;
        // It may go at any moment, and devices cannot know whether it has gone.
        if (isDeleted && this.tombstoneFloor !== null && version <= this.tombstoneFloor) continue;
        const text = digestText(collection.name, collection.ids.toWire(stored['_id']), version);
        const sum = isDeleted ? deleted : live;
        sum.add(createHash('sha256').update(text).digest());
      }
      await this.stillIn?.();
      this.expectTime();
    }
    this.expectTime();
    return { collection: collection.name, live: live.part, deleted: deleted.part };
  }

  /** @throws SyncError `busy` */
  private expectTime(): void {
    if (this.view.isOneMoment && performance.now() < this.ends) return;
    throw busy(
      'The digest of this scope takes too long. Ask for fewer collections, or try again later.',
      RETRY_SECONDS.slow,
    );
  }
}

function busy(message: string, retryAfterSeconds: number): SyncError {
  return new SyncError('busy', message, { retryAfterSeconds });
}
