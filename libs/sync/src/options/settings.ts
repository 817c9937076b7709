import { DEFAULT_MAX_DRIFT_MS, isNodeId, SyncError } from 'nest-offline-sync-protocol';
import type { SyncLimits, SyncOptions } from './sync.options';

/** SyncOptions with every number and name filled in and checked. */
export interface SyncSettings {
  readonly batchAtomic: boolean;
  readonly limits: Required<SyncLimits>;
  readonly defaultPullLimit: number;
  readonly maxPullLimit: number;
  readonly defaultFullLimit: number;
  readonly maxFullLimit: number;
  readonly maxDriftMs: number;
  readonly oplogCollection: string;
  readonly headsCollection: string;
  readonly receiptsCollection: string;
  readonly leasesCollection: string;
  readonly oplogTtlDays: number;
  readonly oplogMaxEntries: number | undefined;
  readonly receiptTtlDays: number;
  readonly trimIntervalMs: number;
  readonly trimGraceMs: number;
  readonly autoIndex: boolean;
  readonly metricsEnabled: boolean;
  readonly retryDeadlineMs: number;
  readonly prepareTimeoutMs: number;
  readonly lanes: number;
  readonly pingIntervalMs: number;
  readonly subscribeTimeoutMs: number;
  readonly socketBufferBytes: number;
  readonly shutdownTimeoutMs: number;
}

/**
 * Fills in the defaults and checks every value.
 *
 * @throws SyncError `configuration`, naming the option and what it may be
 */
export function resolveSettings(options: SyncOptions): SyncSettings {
  const oplogCollection = collectionName('oplogCollection', options.oplogCollection ?? 'sync_oplog');
  const maxPullLimit = whole('maxPullLimit', options.maxPullLimit ?? 1000, 1);
  const maxFullLimit = whole('maxFullLimit', options.maxFullLimit ?? 10_000, 1);
  if (options.hlcNodeId !== undefined && !isNodeId(options.hlcNodeId))
    throw bad('hlcNodeId', 'must be 1 to 64 letters, digits, dots, underscores or dashes');
  const settings: SyncSettings = {
    batchAtomic: options.batchAtomic ?? true,
    limits: {
      maxChanges: whole('limits.maxChanges', options.limits?.maxChanges ?? 1000, 1),
      maxPushBytes: whole('limits.maxPushBytes', options.limits?.maxPushBytes ?? 8 << 20, 1024),
      maxDocumentBytes: whole(
        'limits.maxDocumentBytes',
        options.limits?.maxDocumentBytes ?? 1 << 20,
        64,
        8 << 20,
      ),
      maxDepth: whole('limits.maxDepth', options.limits?.maxDepth ?? 32, 1, 90),
      maxSocketMessageBytes: whole(
        'limits.maxSocketMessageBytes',
        options.limits?.maxSocketMessageBytes ?? 1 << 20,
        1024,
      ),
    },
    defaultPullLimit: whole(
      'defaultPullLimit',
      options.defaultPullLimit ?? Math.min(500, maxPullLimit),
      1,
      maxPullLimit,
    ),
    maxPullLimit,
    defaultFullLimit: whole(
      'defaultFullLimit',
      options.defaultFullLimit ?? Math.min(1000, maxFullLimit),
      1,
      maxFullLimit,
    ),
    maxFullLimit,
    maxDriftMs: whole('maxDriftMs', options.maxDriftMs ?? DEFAULT_MAX_DRIFT_MS, 0),
    oplogCollection,
    headsCollection: collectionName('headsCollection', options.headsCollection ?? 'sync_heads'),
    receiptsCollection: collectionName('receiptsCollection', options.receiptsCollection ?? 'sync_receipts'),
    leasesCollection: collectionName('leasesCollection', options.leasesCollection ?? 'sync_leases'),
    oplogTtlDays: number('oplogTtlDays', options.oplogTtlDays ?? 30, 0),
    oplogMaxEntries:
      options.oplogMaxEntries === undefined
        ? undefined
        : whole('oplogMaxEntries', options.oplogMaxEntries, 1),
    receiptTtlDays: number('receiptTtlDays', options.receiptTtlDays ?? 30, 30),
    trimIntervalMs: whole('trimIntervalMs', options.trimIntervalMs ?? 60_000, 0),
    trimGraceMs: whole('trimGraceMs', options.trimGraceMs ?? 600_000, 0),
    autoIndex: options.autoIndex ?? true,
    metricsEnabled: options.metricsEnabled ?? true,
    retryDeadlineMs: whole('retryDeadlineMs', options.retryDeadlineMs ?? 15_000, 100, 3_600_000),
    prepareTimeoutMs: whole('prepareTimeoutMs', options.prepareTimeoutMs ?? 30_000, 100, 3_600_000),
    lanes: whole('lanes', options.lanes ?? 4, 1, 64),
    pingIntervalMs: whole('pingIntervalMs', options.pingIntervalMs ?? 30_000, 100),
    subscribeTimeoutMs: whole('subscribeTimeoutMs', options.subscribeTimeoutMs ?? 10_000, 100),
    socketBufferBytes: whole('socketBufferBytes', options.socketBufferBytes ?? 1 << 20, 1024),
    shutdownTimeoutMs: whole('shutdownTimeoutMs', options.shutdownTimeoutMs ?? 10_000, 0),
  };
  const own = [
    settings.oplogCollection,
    settings.headsCollection,
    settings.receiptsCollection,
    settings.leasesCollection,
  ];
  if (new Set(own).size !== own.length)
    throw bad(
      'oplogCollection',
      'and the heads, receipts and leases collections must have four different names',
    );
  return settings;
}

function number(name: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !(value >= min && value <= max))
    throw bad(name, `must be a number from ${min} to ${max}`);
  return value;
}

function whole(name: string, value: number, min: number, max?: number): number {
  if (!Number.isSafeInteger(number(name, value, min, max))) throw bad(name, 'must be a whole number');
  return value;
}

function collectionName(name: string, value: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/.test(value) || value.startsWith('system.'))
    throw bad(name, 'must be a plain collection name');
  return value;
}

function bad(option: string, message: string): SyncError {
  return new SyncError('configuration', `SyncModule: option ${option} ${message}.`, { path: option });
}
