import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test, type TestingModule } from '@nestjs/testing';
import mongoose, { type Connection } from 'mongoose';
import { formatHlc, ZERO_VERSION } from 'nest-offline-sync-protocol';
import { SyncHealthIndicator } from '../../../libs/sync/src/health/sync-health';
import { CaptureService } from '../../../libs/sync/src/capture/capture.service';
import { WallClock } from '../../../libs/sync/src/clock/wall-clock';
import { NoMetrics } from '../../../libs/sync/src/metrics/metrics';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import { CollectionRegistry } from '../../../libs/sync/src/collections/collection-registry';
import { ChangeStreamHub } from '../../../libs/sync/src/stream/change-stream-hub';
import { resolveSettings } from '../../../libs/sync/src/options/settings';
import { SYNC_CONNECTION, SYNC_METRICS, SYNC_SETTINGS } from '../../../libs/sync/src/options/tokens';
import { testDatabase } from '../../support/database';
import { until } from '../../support/until';

describe('SyncHealthIndicator', () => {
  const open: { module: TestingModule; connection: Connection }[] = [];

  /** The parts of the engine that the indicator checks, on their own connection. */
  async function engine(uri: string, { stream = true } = {}) {
    const connection = mongoose.createConnection(uri, { serverSelectionTimeoutMS: 4_000 });
    // Where no server answers, nobody waits for the connection.
    connection.asPromise().catch(() => undefined);
    const module = await Test.createTestingModule({
      imports: [TerminusModule.forRoot({ logger: false })],
      providers: [
        { provide: SYNC_CONNECTION, useValue: connection },
        { provide: SYNC_SETTINGS, useValue: resolveSettings({}) },
        { provide: SYNC_METRICS, useValue: new NoMetrics() },
        OplogRepository,
        WallClock,
        ...(stream ? [ChangeStreamHub] : []),
        { provide: CollectionRegistry, useValue: { get: () => undefined } },
        // Nothing is captured here; test/e2e/capture/capture.e2e.ts has what is told where something is.
        { provide: CaptureService, useValue: { behindMs: () => Promise.resolve(undefined) } },
        SyncHealthIndicator,
      ],
    }).compile();
    open.push({ module, connection });
    return {
      module,
      connection,
      health: module.get(SyncHealthIndicator),
      oplog: module.get(OplogRepository),
    };
  }

  function listenTo(hub: ChangeStreamHub): void {
    const ignore = (): void => undefined;
    hub.attach('anything', { offer: ignore, opened: ignore, lost: ignore, closed: ignore });
  }

  afterEach(async () => {
    for (const { module, connection } of open.splice(0)) {
      await module.close();
      await connection.close();
    }
  });

  it('is up, in the shape that terminus wants, also before anybody has subscribed', async () => {
    const { module, health } = await engine(testDatabase(__filename).uri);
    await module.init();
    const result = await module.get(HealthCheckService).check([() => health.isHealthy()]);
    expect(result).toMatchObject({
      status: 'ok',
      info: { sync: { status: 'up', primary: true, changeStream: 'off', headAheadMs: 0 } },
    });
    expect(Math.abs(result.info?.['sync']?.['clockOffsetMs'] as number)).toBeLessThan(1000);
  });

  it('sees that the change stream is open', async () => {
    const { module, health } = await engine(testDatabase(__filename).uri);
    listenTo(module.get(ChangeStreamHub));
    expect(await health.check()).toMatchObject({ status: 'up', details: { changeStream: 'open' } });
  });

  it('is down while the change stream cannot be opened', async () => {
    const { module, health, oplog } = await engine(testDatabase(__filename).uri);
    // A view has no change stream.
    await oplog.db.createCollection('sync_oplog', { viewOn: 'elsewhere', pipeline: [] });
    module.useLogger(false);
    listenTo(module.get(ChangeStreamHub));
    const check = module.get(HealthCheckService).check([() => health.isHealthy('engine')]);
    await expect(check).rejects.toMatchObject({
      response: {
        status: 'error',
        error: { engine: { status: 'down', primary: true, changeStream: 'lost' } },
      },
    });
  });

  it('needs no change stream where the module has none', async () => {
    const { health } = await engine(testDatabase(__filename).uri, { stream: false });
    expect(await health.check()).toMatchObject({ status: 'up', details: { changeStream: 'off' } });
  });

  it('is down when no server answers, long before the driver gives up, and names no host', async () => {
    const { health } = await engine('mongodb://127.0.0.1:1/x', { stream: false });
    const answer = await health.check();
    expect(answer).toMatchObject({ status: 'down', details: { primary: false } });
    expect(JSON.stringify(answer)).not.toContain('127.0.0.1');
    // The driver looks for a server for 30 s.
  }, 25_000);

  it('warns of a scope whose newest version is ahead of the clock, without telling which', async () => {
    const { health, oplog } = await engine(testDatabase(__filename).uri);
    const version = formatHlc({ ms: Date.now() + 3_600_000, counter: 0, node: 'x' });
    await oplog.heads.insertOne({ _id: 'secret-tenant', version, seq: 1, floor: ZERO_VERSION, floorSeq: 0 });
    let answer = await health.check();
    await until(async () => ((answer = await health.check()).details.headAheadMs ?? 0) > 0);
    expect(answer.status).toBe('up');
    expect(answer.details.headAheadMs).toBeGreaterThan(3_500_000);
    expect(answer.details.warnings?.[0]).toContain('ahead of the clock');
    expect(JSON.stringify(answer)).not.toContain('secret-tenant');
  });
});
