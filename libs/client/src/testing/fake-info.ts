import { WIRE_FEATURES, type SyncInfo } from 'nest-offline-sync-protocol';
import type { FakeConflict } from './fake-scope.ts';

export interface FakeServerOptions {
  readonly collections: readonly string[];
  /** Default: last-writer-wins. */
  readonly conflict?: FakeConflict;
  /** Its clock. Milliseconds since 1970. */
  readonly now?: () => number;
  /** Changes in a page of a pull, and documents in one of a full resync. Default 1,000. */
  readonly pageSize?: number;
  readonly maxChanges?: number;
  /** Collections that give no full resync: `allowFullResync: false`. */
  readonly withoutFull?: readonly string[];
}

/** What GET info answers. */
export function infoOf(
  { pageSize = 1000, maxChanges = 1000, conflict = 'last-writer-wins', withoutFull = [] }: FakeServerOptions,
  readable: readonly string[],
  server_time: string,
): SyncInfo {
  return {
    server_time,
    versions: { package: 'fake', wire: 1 },
    features: WIRE_FEATURES,
    limits: {
      max_changes: maxChanges,
      max_push_bytes: 8 << 20,
      max_document_bytes: 1 << 20,
      max_depth: 64,
      max_socket_message_bytes: 1 << 20,
      default_pull_limit: pageSize,
      max_pull_limit: pageSize,
      default_full_limit: pageSize,
      max_full_limit: pageSize,
      max_document_ids: 100,
      max_subscriptions: 100,
      max_drift_ms: 60_000,
    },
    default_atomic: 'mutation',
    stream: { ping_interval_ms: 30_000, subscribe_timeout_ms: 10_000 },
    retention: { log_days: 30, receipt_days: 30, tombstone_days: 0 },
    collections: readable.map((name) => ({
      name,
      conflict,
      delete_policy: 'delete-wins',
      full_resync: !withoutFull.includes(name),
      ids: 'scoped',
    })),
  };
}
