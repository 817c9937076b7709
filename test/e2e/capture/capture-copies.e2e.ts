import mongoose, { Types, type mongo } from 'mongoose';
import type { LogChange } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';
import { until } from '../../support/until';

type Row = mongo.Document;

/** Code of the app takes a document as it is stored, with the engine's fields, and makes another one of it. */
describe('capture, and documents that are copied', () => {
  const database = testDatabase(__filename);
  let app: HttpApp;
  let client: mongo.MongoClient;

  const start = async (): Promise<void> => {
    app = await startHttpApp(database.uri, {
      options: {
        collections: [
          { name: 'items', freeForm: true, capture: true, scopeField: 'shop' },
          { name: 'unplaced', freeForm: true, capture: true },
        ],
      },
    });
  };
  beforeEach(async () => {
    await start();
    const position = { _id: 'capture:position' as never, token: { $exists: true } };
    await until(async () => (await app.db.collection('sync_leases').countDocuments(position)) === 1);
  });
  beforeAll(async () => {
    client = await mongoose.mongo.MongoClient.connect(database.uri);
  });
  afterAll(() => client.close());
  afterEach(async () => {
    await app.close();
    await database.drop();
  });

  const rows = (name = 'items'): mongo.Collection => client.db().collection(name);
  const stored = async (_id: unknown, name = 'items'): Promise<Row> =>
    (await rows(name).findOne({ _id: _id as never })) as Row;
  const isOwn = async (_id: unknown, name = 'items'): Promise<boolean> =>
    (await stored(_id, name))['_sync_owner_id'] === _id;
  const added = async (_id: string, shop: string): Promise<Row> => {
    await rows().insertOne({ _id: _id as never, name: _id, shop });
    await until(() => isOwn(_id));
    return stored(_id);
  };
  /** Whether devices get it as it was copied: they read what the majority has. */
  const isLogged = async (_id: string, scope: string): Promise<boolean> =>
    (await app.as(scope).pull('limit=1000')).changes.some(
      ({ doc_id, data }) => doc_id === _id && data?.['name'] === 'copied',
    );
  /** What a device has after it has read everything, and whether a full resync gives the same. */
  const seenIn = async (scope: string): Promise<Record<string, unknown>> => {
    const device = app.as(scope);
    const { changes } = await device.pull('limit=1000');
    const byLog = new Map<string, unknown>();
    for (const { doc_id, operation, data } of changes)
      if (operation === 'upsert') byLog.set(String(doc_id), data);
      else byLog.delete(String(doc_id));
    const lines = (await device.send('/sync/full?limit=0')).text.trim().split('\n');
    const all = lines.map((line) => JSON.parse(line) as LogChange & { deleted?: boolean });
    const byFull = all.filter(({ doc_id, data }) => doc_id !== undefined && data);
    expect(Object.fromEntries(byFull.map(({ doc_id, data }) => [String(doc_id), data]))).toEqual(
      Object.fromEntries(byLog),
    );
    return Object.fromEntries(byLog);
  };

  const WAYS: readonly [string, (copy: Row) => Promise<unknown>, string][] = [
    ['an insert', (copy) => rows().insertOne({ ...copy, _id: 'new' as never }), 'new'],
    ['$set of all its fields', (copy) => rows().updateOne({ _id: 'old' as never }, { $set: copy }), 'old'],
    ['a replacement', (copy) => rows().replaceOne({ _id: 'old' as never }, copy), 'old'],
    [
      '$merge',
      () =>
        rows()
          .aggregate([
            { $match: { _id: 'first' } },
            { $set: { _id: 'old', name: 'copied' } },
            { $merge: { into: 'items', whenMatched: 'replace' } },
          ])
          .toArray(),
      'old',
    ],
  ];
  const copied = async (way: (copy: Row) => Promise<unknown>, more: object = {}): Promise<void> => {
    await added('old', 'north');
    const { _id: _, ...copy } = await added('first', 'north');
    await way({ ...copy, name: 'copied', ...more });
  };

  it.each(WAYS)('%s is a document of its own', async (_, way, id) => {
    await copied(way);
    await until(() => isLogged(id, 'north'));
    expect((await stored(id))['_sync_version']).not.toBe((await stored('first'))['_sync_version']);
    const expected = { old: { name: 'old', shop: 'north' }, first: { name: 'first', shop: 'north' } };
    expect(await seenIn('north')).toEqual({ ...expected, [id]: { name: 'copied', shop: 'north' } });
  });

  it.each(WAYS.slice(0, 3))('%s that names another scope is there alone', async (_, way, id) => {
    await copied(way, { shop: 'south' });
    await until(() => isLogged(id, 'south'));
    expect(await seenIn('south')).toEqual({ [id]: { name: 'copied', shop: 'south' } });
    const north = await seenIn('north');
    expect(Object.keys(north).sort()).toEqual(id === 'new' ? ['first', 'old'] : ['first']);
  });

  it.each(WAYS)('%s is found where nobody knows what was missed', async (_, way, id) => {
    await copied(() => Promise.resolve());
    const { _id, ...copy } = await stored('first');
    await app.close();
    await client
      .db()
      .collection('sync_leases')
      .deleteOne({ _id: 'capture:position' as never });
    await way({ ...copy, name: 'copied' });
    await start();
    await until(() => isLogged(id, 'north'));
    expect(await seenIn('north')).toMatchObject({ [id]: { name: 'copied', shop: 'north' } });
  });

  it('a device that pushes to a copy that nobody has recorded yet overwrites nothing unseen', async () => {
    const { _id, ...copy } = await added('first', 'north');
    await rows().insertOne({ ...copy, _id: 'new' as never, name: 'copied' });
    const results = await app.as('north').push([upsert('items', 'new', { name: 'by a device' })]);
    expect(results).toMatchObject([
      { code: 'conflict_stale', server_document: { data: { name: 'copied' } } },
    ]);
    expect(await isOwn('new')).toBe(true);
    expect(await seenIn('north')).toMatchObject({ new: { name: 'copied', shop: 'north' } });
  });

  it('a copy without a field that names its scope is in the one that it was copied with', async () => {
    await app.as('north').push([upsert('unplaced', 'first', { name: 'first' })]);
    const { _id, ...copy } = await stored('first', 'unplaced');
    await rows('unplaced').insertOne({ ...copy, _id: 'new' as never, name: 'copied' });
    await until(() => isLogged('new', 'north'));
    expect(await seenIn('north')).toEqual({ first: { name: 'first' }, new: { name: 'copied' } });
  });

  it('a copy that is deleted again is told to nobody', async () => {
    const { _id, ...copy } = await added('first', 'north');
    await rows().insertOne({ ...copy, _id: new Types.ObjectId().toHexString() as never, shop: 'south' });
    await rows().deleteMany({ shop: 'south' });
    await added('last', 'north');
    expect(Object.keys(await seenIn('north')).sort()).toEqual(['first', 'last']);
    expect(await seenIn('south')).toEqual({});
  });
});
