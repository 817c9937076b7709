import { Logger } from '@nestjs/common';
import * as prom from 'prom-client';
import { SyncError } from 'nest-offline-sync-protocol';
import { MissingPackage } from '../options/optional-peers';
import { NoMetrics } from './metrics';
import { PromMetrics, provideMetrics } from './prom-metrics';

describe('PromMetrics', () => {
  let registry: prom.Registry;
  let metrics: PromMetrics;

  beforeEach(() => {
    registry = new prom.Registry();
    metrics = new PromMetrics(prom, registry);
  });

  /** One line of what a scraper reads. */
  async function sample(line: string): Promise<number | undefined> {
    const text = await registry.metrics();
    const found = text.split('\n').find((row) => row.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.slice(line.length + 1));
  }

  it('shows the eight series of the original under their names', async () => {
    metrics.push('success', 3, 0.02);
    metrics.push('failure', 1, 0.01);
    metrics.conflict('tasks');
    metrics.pull(7, 0.001);
    metrics.fullResync(0.5);
    metrics.oplogSize(42);
    metrics.sockets(5);
    expect(await sample('sync_push_total{status="success"}')).toBe(1);
    expect(await sample('sync_push_total{status="failure"}')).toBe(1);
    expect(await sample('sync_push_changes_total')).toBe(4);
    expect(await sample('sync_conflict_total{collection="tasks"}')).toBe(1);
    expect(await sample('sync_pull_total')).toBe(1);
    expect(await sample('sync_pull_changes_served')).toBe(7);
    expect(await sample('sync_full_resync_total')).toBe(1);
    expect(await sample('sync_oplog_size')).toBe(42);
    expect(await sample('sync_websocket_connections')).toBe(5);
  });

  it('measures durations, groups, lag, retries and retention', async () => {
    metrics.push('success', 1, 0.02);
    metrics.pull(1, 0.02);
    metrics.fullResync(0.02);
    metrics.group(60, 0.004);
    metrics.streamLag(-0.2);
    metrics.subscribers(3);
    metrics.transactionRetry();
    metrics.trimmed(1000);
    metrics.tombstonesRemoved(7);
    for (const name of ['push_duration', 'pull_duration', 'full_duration'])
      expect(await sample(`sync_${name}_seconds_sum`)).toBeCloseTo(0.02);
    expect(await sample('sync_group_changes_bucket{le="50"}')).toBe(0);
    expect(await sample('sync_group_changes_bucket{le="100"}')).toBe(1);
    expect(await sample('sync_queue_wait_seconds_sum')).toBeCloseTo(0.004);
    expect(await sample('sync_stream_lag_seconds_sum')).toBe(0);
    expect(await sample('sync_stream_subscribers')).toBe(3);
    expect(await sample('sync_transaction_retries_total')).toBe(1);
    expect(await sample('sync_oplog_trimmed_total')).toBe(1000);
    expect(await sample('sync_tombstones_removed_total')).toBe(7);
  });

  it('measures capture', async () => {
    metrics.captureLag(0.02);
    metrics.captured(3, 1);
    metrics.captured(2, 0);
    metrics.captureFailure();
    expect(await sample('sync_capture_lag_seconds_sum')).toBeCloseTo(0.02);
    expect(await sample('sync_capture_documents_total{status="compared"}')).toBe(5);
    expect(await sample('sync_capture_documents_total{status="refused"}')).toBe(1);
    expect(await sample('sync_capture_failures_total')).toBe(1);
  });

  it('counts two apps of one process into the same series', async () => {
    const second = new PromMetrics(prom, registry);
    metrics.sockets(5);
    second.sockets(2);
    metrics.sockets(1);
    metrics.pull(1, 0.1);
    second.pull(1, 0.1);
    second.headAhead(3);
    expect(await sample('sync_websocket_connections')).toBe(3);
    expect(await sample('sync_pull_total')).toBe(2);
    expect(await sample('sync_head_ahead_seconds')).toBe(3);
  });

  it('keeps the greatest lead of a head, and forgets it after a minute without a report', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(0);
    try {
      metrics.headAhead(8);
      metrics.headAhead(2);
      expect(await sample('sync_head_ahead_seconds')).toBe(8);
      clock.mockReturnValue(60_001);
      expect(await sample('sync_head_ahead_seconds')).toBe(0);
      metrics.headAhead(1);
      expect(await sample('sync_head_ahead_seconds')).toBe(1);
    } finally {
      clock.mockRestore();
    }
  });
});

describe('provideMetrics', () => {
  const missing = (): never => {
    throw new MissingPackage('configuration', 'npm install prom-client');
  };

  afterEach(() => {
    jest.restoreAllMocks();
    prom.register.clear();
  });

  it("registers in prom-client's default registry unless the host gives one", () => {
    provideMetrics({}, { metricsEnabled: true });
    expect(prom.register.getSingleMetric('sync_push_total')).toBeDefined();

    const own = new prom.Registry();
    provideMetrics({ metricsRegistry: own }, { metricsEnabled: true });
    expect(own.getSingleMetric('sync_push_total')).toBeDefined();
  });

  it('works without prom-client and says once how to get metrics', () => {
    const log = jest.spyOn(Logger.prototype, 'log').mockImplementation();
    expect(provideMetrics({}, { metricsEnabled: true }, missing)).toBeInstanceOf(NoMetrics);
    expect(log).toHaveBeenCalledTimes(1);
    expect(String(log.mock.calls[0]?.[0])).toContain('npm install prom-client');
  });

  it('is refused without prom-client when an option asks for it', () => {
    for (const asking of [{ metricsEnabled: true }, { metricsRegistry: new prom.Registry() }])
      expect(() => provideMetrics(asking, { metricsEnabled: true }, missing)).toThrow(
        'npm install prom-client',
      );
  });

  it('does not look for prom-client when metrics are off', () => {
    const load = jest.fn(missing);
    expect(provideMetrics({}, { metricsEnabled: false }, load)).toBeInstanceOf(NoMetrics);
    expect(load).not.toHaveBeenCalled();
  });

  it('does not take a broken prom-client for a missing one', () => {
    const broken = (): never => {
      throw Object.assign(new Error("Cannot find module 'tdigest'"), { code: 'MODULE_NOT_FOUND' });
    };
    expect(() => provideMetrics({}, { metricsEnabled: true }, broken)).toThrow('tdigest');
  });

  it('refuses a registry that is none', () => {
    expect(() => provideMetrics({ metricsRegistry: {} }, { metricsEnabled: true })).toThrow(SyncError);
  });
});
