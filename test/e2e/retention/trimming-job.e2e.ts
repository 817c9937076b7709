import { Logger } from '@nestjs/common';
import * as prom from 'prom-client';
import type { CollectionRegistry } from '../../../libs/sync/src/collections/collection-registry';
import { NoMetrics, type SyncMetrics } from '../../../libs/sync/src/metrics/metrics';
import { PromMetrics } from '../../../libs/sync/src/metrics/prom-metrics';
import { TrimmingService } from '../../../libs/sync/src/retention/trimming';
import { resolveSettings } from '../../../libs/sync/src/options/settings';
import type { SyncOptions } from '../../../libs/sync/src/options/sync.options';
import { DAY_MS, SeededLog } from '../../support/seeded-log';
import { until } from '../../support/until';

const OLD = 31 * DAY_MS;

describe('the retention job', () => {
  let log: SeededLog;
  let registry: prom.Registry;
  const running: TrimmingService[] = [];

  /** A process of the cluster, as far as retention is concerned. */
  const process = (
    options: SyncOptions = {},
    metrics: SyncMetrics = new PromMetrics(prom, registry),
  ): TrimmingService => {
    const settings = resolveSettings({ trimGraceMs: 0, ...options });
    const service = new TrimmingService(log.oplog, settings, metrics, {} as CollectionRegistry);
    running.push(service);
    return service;
  };
  const value = async (name: string) =>
    (await registry.getSingleMetric(name)!.get()).values.map((sample) => sample.value)[0];

  beforeAll(async () => {
    jest.spyOn(Logger.prototype, 'debug').mockImplementation();
    log = await SeededLog.open(__filename);
  });
  beforeEach(() => {
    registry = new prom.Registry();
  });
  afterEach(async () => {
    for (const service of running.splice(0)) await service.beforeApplicationShutdown();
    await log.empty();
  });
  afterAll(() => log.close());

  it('runs in one process of the cluster, and in another as soon as that one has shut down', async () => {
    const [first, second] = [process(), process()];
    await log.append('a', [OLD, OLD, 0]);
    expect(await first.runOnce()).toMatchObject({ deletedEntries: 2 });
    await log.append('a', [0]);
    expect(await second.runOnce()).toBeUndefined();

    await first.beforeApplicationShutdown();
    expect(await second.runOnce()).toMatchObject({ scopes: 1 });
  });

  it('trims by itself every interval, and updates the metrics', async () => {
    await log.append('a', [OLD, OLD, 0]);
    process({ trimIntervalMs: 10 }).onApplicationBootstrap();
    await until(async () => (await log.seqs('a')).length === 1);
    await log.append('a', [OLD]);
    await log.append('b', [OLD]);
    await until(async () => (await log.seqs('b')).length === 0);
    await until(async () => (await value('sync_oplog_size')) === 2);
    expect(await value('sync_oplog_trimmed_total')).toBe(3);
  });

  it('shows the size of the log in processes that have not the lease too', async () => {
    await log.append('a', [0, 0, 0]);
    await process().runOnce();
    registry.resetMetrics();
    expect(await process().runOnce()).toBeUndefined();
    expect(await value('sync_oplog_size')).toBe(3);
  });

  it('does nothing by itself where it is switched off', async () => {
    await log.append('a', [OLD]);
    const metrics = new NoMetrics();
    const looked = jest.spyOn(metrics, 'oplogSize');
    process({ trimIntervalMs: 0 }, metrics).onApplicationBootstrap();
    process({ trimIntervalMs: 10 }).onApplicationBootstrap();
    await until(async () => (await log.seqs('a')).length === 0);
    expect(looked).not.toHaveBeenCalled();
  });

  it('stops between two commands at shutdown, and leaves a log without a gap', async () => {
    await log.append('a', Array<number>(8000).fill(OLD));
    const service = process({ trimIntervalMs: 60_000 });
    const run = service.runOnce();
    await until(async () => (await log.seqs('a')).length < 8000);
    await service.beforeApplicationShutdown();
    const report = await run;
    const left = await log.seqs('a');
    expect(report).toMatchObject({ finished: false });
    expect(left.length).toBeGreaterThan(0);
    expect(left.at(-1)! - left[0]! + 1).toBe(left.length);
  });

  it('goes on after a failed run', async () => {
    await log.append('a', [OLD]);
    let runs = 0;
    class FirstRunFails extends NoMetrics {
      override oplogSize(): void {
        if (++runs === 1) throw new Error('for this test');
      }
    }
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    process({ trimIntervalMs: 10 }, new FirstRunFails()).onApplicationBootstrap();
    await until(async () => (await log.seqs('a')).length === 0);
    expect(warn.mock.calls).toEqual([[expect.stringContaining('for this test')]]);
    warn.mockRestore();
  });
});
