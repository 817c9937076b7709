import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { Logger } from '@nestjs/common';
import { SyncError } from 'nest-offline-sync-protocol';
import { loadPromClient, MissingPackage } from '../options/optional-peers';
import type { SyncOptions } from '../options/sync.options';
import type { SyncSettings } from '../options/settings';
import { NoMetrics, SyncMetrics } from './metrics';

/** The part of prom-client that is needed. The package is an optional peer: the one who makes this class loads it. */
export type PromClient = Pick<typeof import('prom-client'), 'Counter' | 'Gauge' | 'Histogram' | 'register'>;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const GROUP_SIZES = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000];
/** A head that is ahead of the clock is reported with each write: no report for this long, and it is no more. */
const HEAD_AHEAD_FORGOTTEN_MS = 60_000;
/** The last report of each such series, of any module instance. */
const headReports = new WeakMap<Gauge, { seconds: number; at: number }>();

/**
 * The engine's series in a prom-client registry. A series that the registry already has is used as it is, so that
 * a second module or a second app of one process counts into the same. The library serves no `/metrics`: the host
 * does, with the registry's `metrics()`.
 */
export class PromMetrics extends SyncMetrics {
  private readonly pushes: Counter;
  private readonly pushChanges: Counter;
  private readonly conflicts: Counter;
  private readonly pulls: Counter;
  private readonly pullChanges: Counter;
  private readonly fullResyncs: Counter;
  private readonly retries: Counter;
  private readonly trimmedEntries: Counter;
  private readonly removedTombstones: Counter;
  private readonly capturedDocuments: Counter;
  private readonly captureFailures: Counter;
  private readonly pushSeconds: Histogram;
  private readonly pullSeconds: Histogram;
  private readonly fullSeconds: Histogram;
  private readonly queueWait: Histogram;
  private readonly groupChanges: Histogram;
  private readonly lag: Histogram;
  private readonly captureSeconds: Histogram;
  private readonly oplogEntries: Gauge;
  private readonly openSockets: Gauge;
  private readonly liveSubscribers: Gauge;

  private readonly headLead: Gauge;

  private lastSockets = 0;
  private lastSubscribers = 0;

  /** @param registry where the series live: the host's, or prom-client's default one */
  constructor(
    private readonly prom: PromClient,
    private readonly registry: Registry = prom.register,
  ) {
    super();
    this.pushes = this.counter('sync_push_total', 'Push requests, by how they ended.', ['status']);
    this.pushChanges = this.counter('sync_push_changes_total', 'Changes that push requests held.');
    this.conflicts = this.counter('sync_conflict_total', 'Changes that met a conflict.', ['collection']);
    this.pulls = this.counter('sync_pull_total', 'Pull requests answered.');
    this.pullChanges = this.counter('sync_pull_changes_served', 'Changes that pulls have served.');
    this.fullResyncs = this.counter('sync_full_resync_total', 'Pages of full resyncs served.');
    this.retries = this.counter('sync_transaction_retries_total', 'Transactions that had to start again.');
    this.trimmedEntries = this.counter('sync_oplog_trimmed_total', 'Log entries removed by retention.');
    this.removedTombstones = this.counter(
      'sync_tombstones_removed_total',
      'Tombstones removed by retention.',
    );
    this.capturedDocuments = this.counter(
      'sync_capture_documents_total',
      'Documents that were compared after a write past the engine, and those that cannot be synced.',
      ['status'],
    );
    this.captureFailures = this.counter('sync_capture_failures_total', 'Interruptions of capture.');
    this.pushSeconds = this.histogram('sync_push_duration_seconds', 'From a push to its answer.');
    this.pullSeconds = this.histogram('sync_pull_duration_seconds', 'From a pull to its answer.');
    this.fullSeconds = this.histogram(
      'sync_full_duration_seconds',
      'From a full resync page to its last byte.',
    );
    this.queueWait = this.histogram('sync_queue_wait_seconds', "How long a group's oldest push had waited.");
    this.groupChanges = this.histogram('sync_group_changes', 'Changes committed together.', GROUP_SIZES);
    this.lag = this.histogram(
      'sync_stream_lag_seconds',
      "From an entry's write to its dispatch to the sockets.",
    );
    this.captureSeconds = this.histogram(
      'sync_capture_lag_seconds',
      'From a write past the engine to its record in the log.',
    );
    this.oplogEntries = this.gauge('sync_oplog_size', 'Entries in the log, roughly.', 'max');
    this.openSockets = this.gauge('sync_websocket_connections', 'Open sockets of this process.', 'sum');
    this.liveSubscribers = this.gauge('sync_stream_subscribers', 'Subscribers that are live.', 'sum');
    this.headLead = this.gauge(
      'sync_head_ahead_seconds',
      "How far the most advanced scope's head was ahead of the clock in the last minute.",
      'max',
      function (this: Gauge) {
        const report = headReports.get(this);
        this.set(report && isFresh(report) ? report.seconds : 0);
      },
    );
  }

  push(status: 'success' | 'failure', changes: number, seconds: number): void {
    this.pushes.inc({ status });
    this.pushChanges.inc(changes);
    this.pushSeconds.observe(seconds);
  }

  conflict(collection: string): void {
    this.conflicts.inc({ collection });
  }

  pull(changesServed: number, seconds: number): void {
    this.pulls.inc();
    this.pullChanges.inc(changesServed);
    this.pullSeconds.observe(seconds);
  }

  fullResync(seconds: number): void {
    this.fullResyncs.inc();
    this.fullSeconds.observe(seconds);
  }

  group(changes: number, queueWaitSeconds: number): void {
    this.groupChanges.observe(changes);
    this.queueWait.observe(queueWaitSeconds);
  }

  transactionRetry(): void {
    this.retries.inc();
  }

  streamLag(seconds: number): void {
    // Two processes' clocks may differ by a little: what arrives "before" it was written arrived at once.
    this.lag.observe(Math.max(0, seconds));
  }

  sockets(open: number): void {
    // By difference, not by set: two apps of one process share the series.
    this.openSockets.inc(open - this.lastSockets);
    this.lastSockets = open;
  }

  subscribers(live: number): void {
    this.liveSubscribers.inc(live - this.lastSubscribers);
    this.lastSubscribers = live;
  }

  oplogSize(entries: number): void {
    this.oplogEntries.set(entries);
  }

  trimmed(entries: number): void {
    this.trimmedEntries.inc(entries);
  }

  tombstonesRemoved(tombstones: number): void {
    this.removedTombstones.inc(tombstones);
  }

  headAhead(seconds: number): void {
    const report = headReports.get(this.headLead);
    if (!report || seconds >= report.seconds || !isFresh(report))
      headReports.set(this.headLead, { seconds, at: performance.now() });
  }

  captureLag(seconds: number): void {
    this.captureSeconds.observe(seconds);
  }

  captured(compared: number, refused: number): void {
    this.capturedDocuments.inc({ status: 'compared' }, compared);
    this.capturedDocuments.inc({ status: 'refused' }, refused);
  }

  captureFailure(): void {
    this.captureFailures.inc();
  }

  private counter(name: string, help: string, labelNames: string[] = []): Counter {
    return (
      (this.existing(name) as Counter | undefined) ??
      new this.prom.Counter({ ...this.in(name, help), labelNames })
    );
  }

  private histogram(name: string, help: string, buckets: number[] = SECONDS): Histogram {
    return (
      (this.existing(name) as Histogram | undefined) ??
      new this.prom.Histogram({ ...this.in(name, help), buckets })
    );
  }

  /** @param aggregator how a cluster's primary joins the workers' values: all of them know the same log's size */
  private gauge(
    name: string,
    help: string,
    aggregator: 'sum' | 'max',
    collect?: (this: Gauge) => void,
  ): Gauge {
    return (
      (this.existing(name) as Gauge | undefined) ??
      new this.prom.Gauge({ ...this.in(name, help), aggregator, ...(collect ? { collect } : {}) })
    );
  }

  private existing(name: string): unknown {
    return this.registry.getSingleMetric(name);
  }

  private in(name: string, help: string): { name: string; help: string; registers: Registry[] } {
    return { name, help, registers: [this.registry] };
  }
}

function isFresh(report: { at: number }): boolean {
  return performance.now() - report.at <= HEAD_AHEAD_FORGOTTEN_MS;
}

/**
 * What SYNC_METRICS stands for: the prom-client series, or nothing when metrics are switched off. Without prom-client
 * (an optional peer) there are none either, which is said once; an app that asks for them does not start.
 *
 * @param load how prom-client is loaded
 * @throws SyncError `configuration` when `metricsRegistry` is no prom-client registry, or when prom-client is missing
 *   and an option asks for metrics
 */
export function provideMetrics(
  options: Pick<SyncOptions, 'metricsRegistry' | 'metricsEnabled'>,
  settings: Pick<SyncSettings, 'metricsEnabled'>,
  load: () => PromClient = loadPromClient,
): SyncMetrics {
  if (!settings.metricsEnabled) return new NoMetrics();
  try {
    return new PromMetrics(load(), registryOf(options.metricsRegistry));
  } catch (error) {
    const isAskedFor = options.metricsEnabled === true || options.metricsRegistry !== undefined;
    if (isAskedFor || !(error instanceof MissingPackage)) throw error;
    new Logger('SyncModule').log(
      'Metrics are off, because prom-client is not installed: `npm install prom-client` turns them on, ' +
        '`metricsEnabled: false` turns this line off.',
    );
    return new NoMetrics();
  }
}

function registryOf(given: object | undefined): Registry | undefined {
  // Not instanceof: the host may have its own copy of prom-client.
  if (given === undefined || ('getSingleMetric' in given && 'registerMetric' in given))
    return given as Registry | undefined;
  throw new SyncError('configuration', 'SyncModule: option metricsRegistry must be a prom-client Registry.', {
    path: 'metricsRegistry',
  });
}
