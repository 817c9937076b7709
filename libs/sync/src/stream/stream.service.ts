import { Inject, Injectable } from '@nestjs/common';
import { CollectionRegistry } from '../collections/collection-registry';
import { ClientSchemas } from '../identity/client-schemas';
import type { SyncIdentity } from '../identity/identity';
import {
  clientSchemaParameter,
  collectionsParameter,
  queryObject,
  sinceParameter,
} from '../protocol/read-query';
import { PullService } from '../pull/pull.service';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { Selections } from '../log/selection';
import { Backlog } from './backlog';
import { ChangeStreamHub } from './change-stream-hub';
import type { FollowerBounds } from './follower';
import { StreamSubscription, type StreamMessage, type StreamSource } from './stream-subscription';

/** What a subscriber asks for. */
export interface StreamRequest {
  /** `last_seq` or a version of earlier answers. Missing, blank or zero: from the beginning of the log. */
  readonly since?: string | null;
  /** None: all that the identity may read. */
  readonly collections?: string | readonly string[] | null;
  /** The version of the client's data model, as the app calls it. */
  readonly client_schema?: string | number | null;
}

/** What a socket keeps of a request: with it and another cursor the subscription goes on. */
export interface Asked extends Omit<StreamRequest, 'since'> {
  readonly collections: readonly string[] | undefined;
}

/** Live entries that may wait for one subscriber before it goes back to reading the log. */
const WAITING_ENTRIES = 4_096;

/** Follows a scope's log for as long as somebody listens (invariants 3, 5, 7, 9). */
@Injectable()
export class StreamService {
  private readonly selections = new Selections();
  private readonly source: StreamSource;
  private readonly bounds: FollowerBounds;

  constructor(
    hub: ChangeStreamHub,
    pull: PullService,
    private readonly collections: CollectionRegistry,
    private readonly clients: ClientSchemas,
    @Inject(SYNC_SETTINGS) settings: SyncSettings,
  ) {
    this.source = { hub, backlog: new Backlog(pull) };
    this.bounds = { entries: WAITING_ENTRIES, bytes: settings.socketBufferBytes };
  }

  /**
   * Everything above a cursor, then what follows, in the order of the versions: each entry once, with no gap between
   * backlog and live. Ends after a message of kind `resync`, or when `signal` fires.
   *
   * @throws (from the iteration) as {@link open}; SyncError `shutting_down`
   */
  async *subscribe(
    identity: SyncIdentity,
    request: StreamRequest = {},
    signal?: AbortSignal,
  ): AsyncGenerator<StreamMessage, void, undefined> {
    yield* await this.open(identity, request, signal);
  }

  /**
   * The same in two steps: checks the request first, and tells where the subscriber stands while it is used.
   *
   * @throws SyncError `invalid_cursor`, `malformed_request`, `unknown_collection`, `forbidden`, `client_outdated`
   */
  async open(
    identity: SyncIdentity,
    request: StreamRequest,
    signal?: AbortSignal,
  ): Promise<StreamSubscription> {
    const query = queryObject(request);
    const since = sinceParameter(query);
    await this.clients.admit(clientSchemaParameter(query), identity);
    const names = await this.readable(identity, collectionsParameter(query));
    const selection = this.selections.of(names);
    const { bounds } = this;
    return new StreamSubscription(
      { scopeId: identity.scopeId, since, selection, bounds },
      this.source,
      signal,
    );
  }

  /**
   * The asked collections, or all that the identity may read.
   *
   * @throws SyncError `unknown_collection`, `forbidden`
   */
  async readable(identity: SyncIdentity, asked: readonly string[] | undefined): Promise<string[]> {
    const collections = await this.collections.readable(identity, asked && [...asked]);
    return collections.map(({ name }) => name);
  }
}
