import { Inject, Injectable } from '@nestjs/common';
import {
  collectionsParameter,
  cursorParameter,
  parseEnvelope,
  queryObject,
  type EnvelopeFields,
} from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import { Admission } from '../identity/admission';
import { Fingerprints } from '../identity/fingerprints';
import type { SyncIdentity } from '../identity/identity';
import { ownIdentity, ScopeAccess } from '../identity/scope-access';
import { PullService } from '../pull/pull.service';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { Selections } from '../log/selection';
import { Backlog } from './backlog';
import { ChangeStreamHub } from './change-stream-hub';
import type { FollowerBounds } from './follower';
import type { DevicePosition } from '../register/device-batch';
import { Register, type SelfDescription } from '../register/register';
import { ScopeWatches } from './scope-watches';
import { StreamSubscription, type StreamMessage, type StreamSource } from './stream-subscription';

/** What a subscriber asks for. */
export interface StreamRequest extends EnvelopeFields {
  /** `last_seq` or a version of earlier answers. Missing, blank or zero: from the beginning of the log. */
  readonly since?: string | null;
  /** A `seq` of earlier answers, instead of `since`. */
  readonly since_seq?: number | string | null;
  /** None: all that the identity may read. */
  readonly collections?: string | readonly string[] | null;
}

/** Live entries that may wait for one subscriber before it goes back to reading the log. */
const WAITING_ENTRIES = 4_096;

/** Follows a scope's log for as long as somebody listens (invariants 3, 5, 7, 9). */
@Injectable()
export class StreamService {
  private readonly selections = new Selections();
  private readonly source: StreamSource;
  /** What may wait for one subscriber. */
  readonly bounds: FollowerBounds;

  constructor(
    hub: ChangeStreamHub,
    pull: PullService,
    private readonly collections: CollectionRegistry,
    private readonly admission: Admission,
    private readonly fingerprints: Fingerprints,
    private readonly access: ScopeAccess,
    private readonly watches: ScopeWatches,
    private readonly register: Register,
    @Inject(SYNC_SETTINGS) settings: SyncSettings,
  ) {
    this.source = { hub, backlog: new Backlog(pull) };
    this.bounds = { entries: WAITING_ENTRIES, bytes: settings.socketBufferBytes };
  }

  /**
   * Everything above a cursor, then what follows, in the order of the versions: each entry once, with no gap between
   * backlog and live. Ends after a message of kind `resync` or `scope_lost`, or when `signal` fires.
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
   * Close it, also when it is not used.
   *
   * @param bounds what may wait for it; looked at with each entry
   * @throws SyncError `invalid_cursor`, `malformed_request`, `identity_changed`, `client_outdated`, `scope_forbidden`,
   *   `unknown_collection`, `forbidden`
   */
  async open(
    identity: SyncIdentity,
    request: StreamRequest,
    signal?: AbortSignal,
    bounds = this.bounds,
  ): Promise<StreamSubscription> {
    const query = queryObject(request);
    const envelope = parseEnvelope(query);
    const since = cursorParameter(query);
    await this.admission.check(identity, envelope);
    const { identity: reader, watch } = await this.watches.enter(identity, envelope.scope);
    try {
      const names = await this.readable(reader, collectionsParameter(query));
      const selection = this.selections.of(names);
      return new StreamSubscription(
        { scopeId: reader.scopeId, since, selection, bounds, watch },
        this.source,
        signal,
      );
    } catch (error) {
      watch?.close();
      throw error;
    }
  }

  /** A device listens to a scope, and was given its log up to a position. Returns at once. */
  heard(identity: SyncIdentity, scopeId: string, device: SelfDescription, position?: DevicePosition): void {
    const own = ownIdentity(identity);
    const ownScopeId = scopeId === own.scopeId ? undefined : own.scopeId;
    this.register.saw(
      { ...own, scopeId, ...(ownScopeId === undefined ? {} : { ownScopeId }) },
      'socket',
      device,
      position,
    );
  }

  /** What clients of the identity know it by. */
  fingerprint(identity: SyncIdentity): string | undefined {
    return this.fingerprints.of(identity);
  }

  /**
   * What a subscription would give with fresh credentials of the same actor. They count for the scope from now on.
   *
   * @throws SyncError `scope_forbidden`, `unknown_collection`, `forbidden`
   */
  async renewed(
    identity: SyncIdentity,
    subscription: StreamSubscription,
    asked: readonly string[] | undefined,
  ): Promise<string[]> {
    const reader = await this.access.enter(identity, subscription.scope, 'read');
    subscription.renew(reader);
    return this.readable(reader, asked);
  }

  /** The asked collections, or all that the identity may read. */
  private async readable(identity: SyncIdentity, asked: readonly string[] | undefined): Promise<string[]> {
    const collections = await this.collections.readable(identity, asked && [...asked]);
    return collections.map(({ name }) => name);
  }
}
