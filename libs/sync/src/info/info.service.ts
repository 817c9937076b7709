import { Inject, Injectable } from '@nestjs/common';
import {
  type InfoLimits,
  type InfoRequest,
  MAX_DOCUMENT_IDS,
  type SyncInfo,
  WIRE_FEATURES,
  WIRE_VERSION,
  parseEnvelope,
  queryObject,
} from 'nest-offline-sync-protocol';
import { isoTime } from '../clock/bounded-wall';
import { WallClock } from '../clock/wall-clock';
import { CollectionRegistry } from '../collections/collection-registry';
import { Admission } from '../identity/admission';
import type { SyncIdentity } from '../identity/identity';
import type { SyncExtras } from '../options/extras';
import type { SyncSettings } from '../options/settings';
import { SYNC_EXTRAS, SYNC_SETTINGS } from '../options/tokens';
import { packageVersion } from './package-version';

/** Tells a client what it has to know before it relies on this server: limits, collections, features, the time. */
@Injectable()
export class InfoService {
  private readonly version = packageVersion();

  constructor(
    private readonly collections: CollectionRegistry,
    private readonly admission: Admission,
    private readonly clock: WallClock,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_EXTRAS) private readonly extras: SyncExtras,
  ) {}

  /**
   * Names only the collections that the identity may read (invariant 5).
   *
   * @throws SyncError `malformed_request`, `identity_changed`, `client_outdated`, `scope_forbidden`, and what an authorizer throws
   */
  async info(identity: SyncIdentity, request: InfoRequest = {}): Promise<SyncInfo> {
    const reader = await this.admission.admit(identity, parseEnvelope(queryObject(request)));
    const { settings } = this;
    const readable = await this.collections.readable(reader, undefined);
    return {
      server_time: isoTime(this.clock.now()),
      versions: { package: this.version, wire: WIRE_VERSION },
      features: WIRE_FEATURES,
      limits: limitsOf(settings),
      default_atomic: settings.batchAtomic ? 'batch' : 'mutation',
      stream: this.extras.stream
        ? { ping_interval_ms: settings.pingIntervalMs, subscribe_timeout_ms: settings.subscribeTimeoutMs }
        : null,
      retention: {
        log_days: settings.oplogTtlDays,
        receipt_days: settings.receiptTtlDays,
        tombstone_days: settings.tombstoneTtlDays,
      },
      collections: readable.map(({ name, rules, idMode, allowFullResync }) => ({
        name,
        conflict: rules.strategy,
        delete_policy: rules.deleteUpdatePolicy,
        full_resync: allowFullResync,
        ids: idMode,
      })),
    };
  }
}

function limitsOf(settings: SyncSettings): InfoLimits {
  const { limits } = settings;
  return {
    max_changes: limits.maxChanges,
    max_push_bytes: limits.maxPushBytes,
    max_document_bytes: limits.maxDocumentBytes,
    max_depth: limits.maxDepth,
    max_socket_message_bytes: limits.maxSocketMessageBytes,
    default_pull_limit: settings.defaultPullLimit,
    max_pull_limit: settings.maxPullLimit,
    default_full_limit: settings.defaultFullLimit,
    max_full_limit: settings.maxFullLimit,
    max_document_ids: MAX_DOCUMENT_IDS,
    max_subscriptions: limits.maxSubscriptions,
    max_drift_ms: settings.maxDriftMs,
  };
}
