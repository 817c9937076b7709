import {
  captureRecords,
  following,
  itemsIn,
  plainItem,
  rowsOf,
  settled,
  startCapturing,
} from '../../support/captured-items';
import { FailPoints } from '../../support/fail-point';
import { until } from '../../support/until';
import type { WritesApp } from '../../support/writes-app';

/** Longer than what the test does meanwhile, on a busy machine. */
const BLOCKED_MS = 3_000;

describe('where capture goes on', () => {
  let points: FailPoints;
  const apps: WritesApp[] = [];
  let count = 0;
  let database: string;

  beforeAll(async () => {
    points = await FailPoints.start();
  });
  beforeEach(() => {
    database = `positions-${String(++count)}`;
  });
  afterEach(async () => {
    await points.off();
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });
  afterAll(() => points.close());

  const start = async (appName = 'other', more: object = {}): Promise<WritesApp> => {
    const app = await startCapturing(points.uri(database), more, { appName });
    apps.push(app);
    return app;
  };
  const stop = async (app: WritesApp): Promise<void> => {
    apps.splice(apps.indexOf(app), 1);
    await app.close();
  };

  it('loses nothing when a process ends before the stream has given its first answer', async () => {
    const namespace = `${database}.$cmd.aggregate`;
    await points.set({ commands: ['aggregate'], namespace, appName: 'first', blockTimeMS: BLOCKED_MS });
    const first = await start('first');
    const compared = { _id: 'capture:position', compared: 'items' };
    await until(async () => (await captureRecords(first).countDocuments(compared)) === 1);
    await rowsOf(first).insertOne(plainItem(1));
    await stop(first);
    await points.off();
    const second = await start();
    await settled(second, 'north');
    expect(await itemsIn(second, 'north')).toHaveLength(1);
  });

  it('loses nothing when a process ends while it looks for what went without a trace', async () => {
    const first = await start('first');
    const [kept, gone] = [plainItem(1), plainItem(2)];
    await rowsOf(first).insertMany([kept, gone]);
    await settled(first, 'north');
    await following(first);
    await first.oplog.db.command({ collMod: 'items', changeStreamPreAndPostImages: { enabled: false } });
    const namespace = `${database}.sync_oplog`;
    const entered = await points.set({
      commands: ['aggregate'],
      namespace,
      appName: 'first',
      blockTimeMS: BLOCKED_MS,
    });
    await rowsOf(first).deleteOne({ _id: gone._id });
    await entered();
    await stop(first);
    await points.off();
    const second = await start();
    await settled(second, 'north');
    expect((await itemsIn(second, 'north')).at(-1)).toMatchObject({
      operation: 'delete',
      doc_id: String(gone._id),
    });
  });

  it('compares a collection again that was not captured for a while', async () => {
    const drafts = { name: 'drafts', freeForm: true, ids: 'global' } as const;
    const items = { name: 'items', ids: 'global' } as const;
    const both = {
      collections: [
        { ...items, capture: true, scopeField: 'shop' },
        { ...drafts, capture: true, scopeField: 'shop' },
      ],
    };
    const first = await start('first', both);
    await following(first, 'drafts');
    await following(first);
    await stop(first);
    const second = await start('second', {
      collections: [items, { ...drafts, capture: true, scopeField: 'shop' }],
    });
    await rowsOf(second).insertOne(plainItem(1));
    await second.oplog.db.collection('drafts').insertOne({ _id: 'd1' as never, shop: 'south' });
    await until(async () => (await second.oplog.entries.countDocuments({ scope: 'south' })) === 1);
    // What came before the draft is behind the next position.
    const positionOf = async () => (await captureRecords(second).findOne({ _id: 'capture:position' }))?.token;
    const kept = JSON.stringify(await positionOf());
    await second.oplog.db.collection('drafts').insertOne({ _id: 'd2' as never, shop: 'south' });
    await until(async () => JSON.stringify(await positionOf()) !== kept);
    await stop(second);
    const third = await start('third', both);
    await until(async () => (await third.oplog.entries.countDocuments({ scope: 'north' })) === 1);
  });
});
