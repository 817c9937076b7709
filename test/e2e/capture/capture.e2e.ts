import { Schema, Types } from 'mongoose';
import { SyncHealthIndicator, type LogChange, type SyncIdentity, type SyncOptions } from 'nest-offline-sync';
import { Registry } from 'prom-client';
import { testDatabase } from '../../support/database';
import { doubled } from '../../support/captured-items';
import { until } from '../../support/until';
import {
  agreedState,
  pullAll,
  startWritesApp,
  threeStates,
  upsertOf,
  type WritesApp,
} from '../../support/writes-app';

const who = (scopeId: string): SyncIdentity => ({ scopeId, actorId: 'ann' });
const CAPTURED: Partial<SyncOptions> = {
  collections: [
    { name: 'notes', freeForm: true, ids: 'scoped' },
    { name: 'drafts', freeForm: true, ids: 'global' },
    { name: 'items', ids: 'global', capture: true, scopeField: 'shop' },
  ],
};
const withShop = (schema: Schema): void => {
  schema.add({ shop: Schema.Types.Mixed } as never);
};
/** Of the first second of 1970, and without what tokens end with now. */
const OLD_TOKEN = '82000000010000000129';
type Row = Record<string, unknown> & { _id: Types.ObjectId; stock?: number };

/** The driver's types know no number under a name that any value may have. */
const more = (stock: number): never => ({ stock }) as never;

describe('capture: writes from anywhere', () => {
  const database = testDatabase(__filename);
  const apps: WritesApp[] = [];

  const start = async (): Promise<WritesApp> => {
    const app = await startWritesApp(database.uri, CAPTURED, {}, withShop);
    apps.push(app);
    return app;
  };
  const stop = async (app: WritesApp): Promise<void> => {
    apps.splice(apps.indexOf(app), 1);
    await app.close();
  };
  afterEach(async () => {
    while (apps[0]) await stop(apps[0]);
    await database.drop();
  });

  const rowsOf = ({ oplog }: WritesApp) => oplog.db.collection<Row>('items');
  const positionsOf = ({ oplog }: WritesApp) => oplog.db.collection<{ _id: string }>('sync_leases');
  const plain = (n: number, shop: unknown = 'north', more: object = {}): Row => ({
    _id: new Types.ObjectId(),
    name: `item ${String(n)}`,
    stock: n,
    state: 'new',
    shop,
    ...more,
  });
  /** Waits until log, full resync and collection say the same of some scopes. */
  const settled = async (app: WritesApp, ...scopes: string[]): Promise<void> => {
    await until(async () => {
      for (const scope of scopes) {
        const { log, full, stored } = await threeStates(app, who(scope));
        if (JSON.stringify(sorted(log)) !== JSON.stringify(sorted(stored))) return false;
        if (JSON.stringify(sorted(log)) !== JSON.stringify(sorted(full))) return false;
      }
      return (await rowsOf(app).countDocuments({ _sync_scope_id: null, shop: { $type: 'string' } })) === 0;
    }, 60_000);
    for (const scope of scopes) await agreedState(app, who(scope));
  };
  const sorted = (state: Record<string, unknown>): unknown[] =>
    Object.entries(state)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, sortedKeys(value)]);
  const sortedKeys = (value: unknown): unknown =>
    Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1));
  const itemsIn = async (app: WritesApp, scope: string): Promise<LogChange[]> =>
    (await pullAll(app, who(scope))).filter(({ collection }) => collection === 'items');
  /** Capture does not run: another process, which does nothing, has the lease. */
  const withoutCapture = async (): Promise<WritesApp> => {
    const app = await start();
    await until(
      async () =>
        (await positionsOf(app).findOne({ _id: 'capture:position', token: { $exists: true } })) !== null,
      60_000,
    );
    const lease = { owner: 'somebody else', expiresAt: new Date(Date.now() + 3_600_000) };
    await positionsOf(app).updateOne({ _id: 'capture' }, { $set: lease, $inc: { token: 1 } });
    await stop(app);
    return start();
  };

  it('records whatever the driver, Mongoose and other services write, each once, and the app’s documents stay as they are', async () => {
    const app = await start();
    const rows = rowsOf(app);
    const [a, b, c, d, e] = Array.from({ length: 5 }, (_, n) => plain(n));
    if (!a || !b || !c || !d || !e) throw new Error('five');
    await rows.insertOne(a);
    await rows.insertMany([b, c, d, e]);
    await settled(app, 'north');
    await rows.updateMany(
      { _id: { $in: [a._id, b._id] } },
      { $inc: more(100), $set: { extra: new Date(0) } },
    );
    await rows.replaceOne({ _id: c._id }, { name: 'replaced', shop: 'north', stock: 7 });
    await rows.deleteOne({ _id: d._id });
    const doc = await app.items.findById(e._id);
    doc?.set({ name: 'saved' });
    await doc?.save();
    await rows.bulkWrite([
      { updateOne: { filter: { _id: a._id }, update: { $unset: { state: '' } } } },
      { insertOne: { document: plain(6, new Types.ObjectId('65f000000000000000000001')) } },
      { insertOne: { document: plain(7, undefined, { shop: null }) } },
    ]);
    await settled(app, 'north', '65f000000000000000000001');
    const entries = await itemsIn(app, 'north');
    expect(entries.filter(({ operation }) => operation === 'delete').map(({ doc_id }) => doc_id)).toEqual([
      String(d._id),
    ]);
    expect(await rows.findOne({ _id: d._id })).toMatchObject({ _sync_deleted: true });
    expect(await rows.findOne({ _id: c._id })).toMatchObject({
      name: 'replaced',
      _sync_scope_id: 'north',
      _sync_actor_id: 'app',
    });
    expect((await rows.findOne({ _id: a._id }))?.['extra']).toEqual(new Date(0));
    expect(
      await rows.countDocuments({ shop: null, _sync_scope_id: { $exists: true }, _sync_deleted: false }),
    ).toBe(0);
    // Followed a second time from the beginning, nothing differs any more.
    const before = await app.oplog.entries.countDocuments();
    await stop(app);
    const again = await start();
    await positionsOf(again).updateOne({ _id: 'capture:position' }, { $unset: { compared: '' } as never });
    await rowsOf(again).insertOne(plain(8));
    await settled(again, 'north');
    expect(await again.oplog.entries.countDocuments()).toBe(before + 1);
  });

  it('records what is written along with the engine’s own fields, or with their removal', async () => {
    const app = await start();
    const rows = rowsOf(app);
    const long = { name: 'x'.repeat(1_000) };
    const [piped, copied, replaced] = [plain(1, 'north', long), plain(2), plain(3)];
    await rows.insertMany([piped, copied, replaced]);
    await settled(app, 'north');
    const former = { ...(await rows.findOne({ _id: copied._id })) };
    await rows.updateOne({ _id: copied._id }, { $inc: more(1) });
    await until(async () => (await itemsIn(app, 'north')).length === 4);
    await rows.updateOne({ _id: copied._id }, { $set: former });
    // It comes as an update that removes the engine's fields.
    const whole = { _id: '$_id', name: '$name', shop: 'north', stock: 7 };
    await rows.updateOne({ _id: piped._id }, [{ $replaceWith: whole }]);
    const found = { ...(await rows.findOne({ _id: replaced._id })) };
    await rows.replaceOne({ _id: replaced._id }, { ...found, name: 'replaced' });
    await until(async () => (await itemsIn(app, 'north')).length === 7);
    await settled(app, 'north');
    expect(doubled(await itemsIn(app, 'north'))).toEqual([]);
    expect((await rows.findOne({ _id: piped._id }))?.['_sync_scope_id']).toBe('north');
  });

  it('never lets a push overwrite what the app has written and nobody has recorded yet', async () => {
    const app = await withoutCapture();
    const rows = rowsOf(app);
    const ids = [new Types.ObjectId(), new Types.ObjectId(), new Types.ObjectId()] as const;
    const data = { name: 'device', stock: 1, state: 's', shop: 'north' };
    const { results } = await app.push(
      who('north'),
      ids.map((id) => upsertOf('items', String(id), data)),
    );
    const parent = (at: number) => ({ parent_version: results[at]?.new_version });
    await rows.updateOne({ _id: ids[0] }, { $set: { name: 'by the app' } });
    await rows.deleteOne({ _id: ids[1] });
    const fresh = plain(9);
    await rows.insertOne(fresh);
    const edit = (id: Types.ObjectId, at: number) => ({
      ...upsertOf('items', String(id), { ...data, name: 'edited' }),
      ...parent(at),
    });
    const push = async (id: Types.ObjectId, at: number) =>
      (await app.push(who('north'), [edit(id, at)])).results[0];
    expect(await push(ids[0], 0)).toMatchObject({
      status: 'rejected',
      code: 'conflict_stale',
      server_document: { data: { name: 'by the app' } },
    });
    // Deleted by the app, edited by the device: the policy of the collection decides, as between two devices.
    expect(await push(ids[1], 1)).toMatchObject({ status: 'conflict_resolved' });
    expect(await push(ids[2], 2)).toMatchObject({ status: 'accepted' });
    expect(await push(fresh._id, 9)).toMatchObject({ status: 'rejected', code: 'conflict_stale' });
    const entries = await itemsIn(app, 'north');
    expect(entries.slice(3).map(({ doc_id, operation }) => [doc_id, operation])).toEqual([
      [String(ids[0]), 'upsert'],
      [String(ids[1]), 'delete'],
      [String(ids[1]), 'upsert'],
      [String(ids[2]), 'upsert'],
      [String(fresh._id), 'upsert'],
    ]);
    await agreedState(app, who('north'));
  });

  it('records as a move what takes a document into another scope, or out of all', async () => {
    const app = await start();
    const rows = rowsOf(app);
    const [moved, left, forged] = [plain(1), plain(2), plain(3)];
    await rows.insertMany([moved, left, forged]);
    await settled(app, 'north');
    // A device that writes the field itself moves nothing, also not by the app's next write.
    const parent_version = String((await rows.findOne({ _id: forged._id }))?.['_sync_version']);
    const own = { name: 'forged', stock: 1, state: 's', shop: 'south' };
    await app.push(who('north'), [{ ...upsertOf('items', String(forged._id), own), parent_version }]);
    await rows.updateOne({ _id: forged._id }, { $inc: more(1) });
    await rows.updateOne({ _id: moved._id }, { $set: { shop: 'south' } });
    await rows.updateOne({ _id: left._id }, { $unset: { shop: '' } });
    await until(
      async () => (await rows.countDocuments({ _id: left._id, _sync_version: { $exists: false } })) === 1,
      60_000,
    );
    await settled(app, 'north', 'south');
    const operations = async (scope: string, { _id }: Row) =>
      (await itemsIn(app, scope))
        .filter(({ doc_id }) => doc_id === String(_id))
        .map(({ operation }) => operation);
    expect(await operations('north', moved)).toEqual(['upsert', 'delete']);
    expect(await operations('south', moved)).toEqual(['upsert']);
    expect(await operations('north', left)).toEqual(['upsert', 'delete']);
    expect(await operations('south', forged)).toEqual([]);
    expect(await rows.findOne({ _id: left._id })).toEqual({ ...left, shop: undefined });
  });

  it.each([
    ['is of an old kind', OLD_TOKEN],
    ['it does not understand', 'nonsense'],
  ])('finds what was missed when MongoDB cannot go on from a position that %s', async (_, _data) => {
    const first = await start();
    const names = ['kept', 'changed', 'gone', 'moved', 'replaced', 'left', 'forged'];
    const items = Object.fromEntries(names.map((name, n) => [name, plain(n)]));
    await rowsOf(first).insertMany(Object.values(items));
    await settled(first, 'north');
    const id = (name: string): Types.ObjectId => items[name]?._id ?? new Types.ObjectId();
    // A device that writes the scope field itself moves nothing, also not by the app's next write.
    const parent_version = String((await rowsOf(first).findOne({ _id: id('forged') }))?.['_sync_version']);
    const own = { name: 'forged', stock: 1, state: 's', shop: 'south' };
    await first.push(who('north'), [{ ...upsertOf('items', String(id('forged')), own), parent_version }]);
    const before = await first.oplog.entries.countDocuments();
    await stop(first);

    const second = await withoutCapture();
    const rows = rowsOf(second);
    await rows.updateOne({ _id: id('changed') }, { $set: { name: 'changed' } });
    await rows.updateOne({ _id: id('forged') }, { $inc: more(1) });
    await rows.deleteOne({ _id: id('gone') });
    await rows.updateOne({ _id: id('moved') }, { $set: { shop: 'south' } });
    await rows.replaceOne({ _id: id('replaced') }, { name: 'replaced', shop: 'south' });
    await rows.updateOne({ _id: id('left') }, { $unset: { shop: '' } });
    await rows.insertOne(plain(9));
    await positionsOf(second).updateOne({ _id: 'capture:position' }, { $set: { token: { _data } } as never });
    await positionsOf(second).updateOne({ _id: 'capture' }, { $set: { expiresAt: new Date(0) } as never });
    await until(async () => (await rows.countDocuments({ _id: id('left'), _sync_version: null })) === 1);
    await settled(second, 'north', 'south');
    // One each, and two of what has moved.
    expect(await second.oplog.entries.countDocuments()).toBe(before + 9);
    expect((await itemsIn(second, 'south')).map(({ doc_id }) => doc_id).sort()).toEqual(
      [id('moved'), id('replaced')].map(String).sort(),
    );
  });

  it('lets devices load again where the log does not tell what is gone', async () => {
    const first = await start();
    const [kept, gone] = [plain(1), plain(2)];
    await rowsOf(first).insertMany([kept, gone]);
    await settled(first, 'north');
    const page = await first.sync.pull(who('north'), {});
    const cursor = 'last_seq' in page ? page.last_seq : '';
    const { version = '', seq = 0 } = (await first.oplog.readHead('north')) ?? {};
    await stop(first);
    const second = await withoutCapture();
    // As the trimming job leaves it.
    const floor = { floor: version, floorSeq: seq, floorAt: new Date(0) };
    await second.oplog.heads.updateOne({ _id: 'north' }, { $set: floor });
    await second.oplog.entries.deleteMany({ scope: 'north' });
    await rowsOf(second).deleteOne({ _id: gone._id });
    await positionsOf(second).updateOne(
      { _id: 'capture:position' },
      { $set: { token: { _data: OLD_TOKEN } } as never },
    );
    await positionsOf(second).updateOne({ _id: 'capture' }, { $set: { expiresAt: new Date(0) } as never });
    await until(async () => 'reason' in (await second.sync.pull(who('north'), { since: cursor })), 60_000);
    expect(await second.sync.pull(who('north'), { since: cursor })).toMatchObject({ reason: 'too_old' });
    // Those who listen hear of it by an entry behind the gap.
    await until(async () => (await second.oplog.entries.countDocuments({ scope: 'north' })) > 0, 60_000);
  });

  it('tells how far behind it is, by its metrics and the health check', async () => {
    const metricsRegistry = new Registry();
    const app = await startWritesApp(database.uri, { ...CAPTURED, metricsRegistry }, {}, withShop);
    apps.push(app);
    await rowsOf(app).insertMany([plain(1), plain(2)]);
    await until(
      async () =>
        /sync_capture_documents_total{status="compared"} [1-9]/.test(await metricsRegistry.metrics()),
      60_000,
    );
    // The first two may have been found by the comparison.
    await rowsOf(app).insertOne(plain(3));
    await until(
      async () => /sync_capture_lag_seconds_count [1-9]/.test(await metricsRegistry.metrics()),
      60_000,
    );
    await settled(app, 'north');
    const health = app.app.get(SyncHealthIndicator);
    await until(async () => (await health.check()).details.captureBehindMs !== undefined, 60_000);
    expect((await health.check()).details.warnings).toBeUndefined();
    await stop(app);
    const idle = await withoutCapture();
    const upTo = new Date(Date.now() - 60_000);
    await positionsOf(idle).updateOne({ _id: 'capture:position' }, { $set: { upTo } as never });
    expect(await idle.app.get(SyncHealthIndicator).check()).toMatchObject({
      status: 'up',
      details: { warnings: [expect.stringContaining('Capture is 60.')] },
    });
  });

  it('records deletes also when somebody has switched pre-images off', async () => {
    const app = await start();
    const one = plain(1);
    await rowsOf(app).insertOne(one);
    await settled(app, 'north');
    await app.oplog.db.command({ collMod: 'items', changeStreamPreAndPostImages: { enabled: false } });
    await rowsOf(app).deleteOne({ _id: one._id });
    await settled(app, 'north');
    expect((await itemsIn(app, 'north')).map(({ operation }) => operation)).toEqual(['upsert', 'delete']);
  });

  it('converges under random writes of the app and pushes on the same few documents', async () => {
    const app = await start();
    const rows = rowsOf(app);
    const ids = Array.from({ length: 12 }, () => new Types.ObjectId());
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const anyId = (): Types.ObjectId => ids[random(ids.length)] ?? new Types.ObjectId();
    const service = async (): Promise<void> => {
      for (let n = 0; n < 60; n++) {
        const _id = anyId();
        const kind = random(6);
        if (kind === 0) await rows.deleteOne({ _id, _sync_deleted: { $ne: true } });
        else if (kind === 1) await rows.insertOne({ ...plain(n), _id }).catch(() => undefined);
        else if (kind === 2)
          await rows.replaceOne(
            { _id, _sync_deleted: { $ne: true } },
            { name: `r${String(n)}`, shop: 'north' },
          );
        else
          await rows.updateMany(
            { _id: { $in: [_id, anyId()] }, _sync_deleted: { $ne: true } },
            { $inc: more(1) },
          );
      }
    };
    const device = async (): Promise<void> => {
      for (let n = 0; n < 40; n++) {
        const id = String(anyId());
        const change =
          random(4) === 0
            ? { collection: 'items', operation: 'delete', doc_id: id }
            : upsertOf('items', id, { name: `d${String(n)}`, stock: n, state: 's', shop: 'north' });
        const known = (await rows.findOne({ _id: new Types.ObjectId(id) }))?.['_sync_version'];
        await app.push(who('north'), [
          { ...change, ...(typeof known === 'string' ? { parent_version: known } : {}) },
        ]);
      }
    };
    await Promise.all([service(), service(), device(), device()]);
    await settled(app, 'north');
  });
});
