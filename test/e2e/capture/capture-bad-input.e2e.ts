import mongoose, { Schema, Types, type mongo } from 'mongoose';
import type { LogChange } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';
import { until } from '../../support/until';

type Row = mongo.Document;

/** Almost what MongoDB takes as one document. */
const LARGE = 'x'.repeat((16 << 20) - 200);

/**
 * What other code may do to a captured collection that cannot be synced: it is told, nothing of it is half there, no answer
 * is 5xx, and other documents and collections go on.
 */
describe('capture, and what cannot be captured', () => {
  const database = testDatabase(__filename);
  let app: HttpApp;

  const start = async (): Promise<void> => {
    const schema = new Schema(
      { name: String, shop: Schema.Types.Mixed, notes: String },
      { collection: 'items', versionKey: false },
    );
    app = await startHttpApp(database.uri, {
      models: [{ name: 'Item', schema }],
      options: {
        collections: [
          { name: 'items', capture: true, scopeField: 'shop' },
          { name: 'others', freeForm: true, capture: true, scopeField: 'shop' },
        ],
      },
    });
  };
  beforeEach(async () => {
    await start();
    // What comes from here on is in the stream.
    const position = { _id: 'capture:position' as never, token: { $exists: true } };
    await until(async () => (await app.db.collection('sync_leases').countDocuments(position)) === 1);
  });
  afterEach(async () => {
    await app.close();
    await database.drop();
  });

  const rows = (name = 'items'): mongo.Collection => app.db.collection(name);
  const plain = (shop: unknown = 'north', more: object = {}): Row => ({
    _id: new Types.ObjectId(),
    name: 'by the app',
    shop,
    ...more,
  });
  const stored = (_id: unknown, name = 'items'): Promise<Row | null> =>
    rows(name).findOne({ _id: _id as never });
  const isRecorded = async (_id: unknown, name = 'items'): Promise<boolean> =>
    typeof (await stored(_id, name))?.['_sync_version'] === 'string';
  const told = (pattern: RegExp): string[] => app.logs.filter((line) => pattern.test(line));
  const added = async (row: Row, name = 'items'): Promise<Row> => {
    await rows(name).insertOne({ ...row });
    await until(() => isRecorded(row._id, name));
    return row;
  };
  const logOf = async (scope: string): Promise<LogChange[]> => {
    const changes: LogChange[] = [];
    for (let since = ''; ;) {
      const page = await app.as(scope).pull(`limit=1000&since=${since}`);
      changes.push(...page.changes);
      if (!page.has_more) return changes;
      since = page.last_seq;
    }
  };
  const entriesOf = async (_id: unknown, scope = 'north'): Promise<string[]> =>
    (await logOf(scope)).filter(({ doc_id }) => doc_id === String(_id)).map(({ operation }) => operation);
  const live = (lines: string, collection: string): unknown[] =>
    lines
      .split('\n')
      .filter((line) => line.includes(`"${collection}"`) && line.includes('"deleted":false'))
      .map((line) => (JSON.parse(line) as LogChange).doc_id);

  /** Everything that was written before is recorded, all collections go on, and scopes are whole. */
  const goesOn = async (...collections: string[]): Promise<void> => {
    for (const name of ['others', ...collections])
      for (const shop of ['north', 'south']) {
        const _id = new Types.ObjectId();
        await added(plain(shop, { _id: name === 'others' ? _id.toHexString() : _id }), name);
      }
    for (const scope of ['north', 'south']) {
      const device = app.as(scope);
      const which = collections.includes('items') ? '' : '&collections=others';
      for (const path of [`pull?x${which}`, `full?limit=0${which}`, `digest?x${which}`, 'info'])
        expect([path, (await device.send(`/sync/${path}`)).status]).toEqual([path, 200]);
      const log = new Map<unknown, boolean>();
      for (const { doc_id, collection, operation } of await logOf(scope))
        if (which === '' || collection === 'others') log.set(doc_id, operation === 'upsert');
      const full = (await device.send(`/sync/full?limit=0${which}`)).text;
      const there = [...log].filter(([, isThere]) => isThere).map(([id]) => id);
      expect([...live(full, 'items'), ...live(full, 'others')].sort()).toEqual(there.sort());
    }
  };

  const NO_SCOPES = [['north', 'south'], { name: 'north' }, null, new Date(0), 1.5, ''];

  it('documents that name no scope, or two, are in none, and that is said once', async () => {
    const bad = NO_SCOPES.map((shop) => plain(shop));
    await rows().insertMany(bad.map((row) => ({ ...row })));
    await goesOn('items');
    for (const row of bad) expect(await stored(row._id)).toEqual(row);
    expect(told(/Collection items.*scope_missing.*shop/)).toHaveLength(1);
    // As soon as one names a scope, it is there.
    await rows().updateOne({ _id: bad[0]?._id }, { $set: { shop: 'north' } });
    await until(() => isRecorded(bad[0]?._id));
    expect(await entriesOf(bad[0]?._id)).toEqual(['upsert']);
  });

  it('documents whose scope is removed, or becomes none, leave their scope, and come back', async () => {
    const some = await Promise.all(
      [undefined, ...NO_SCOPES].map(async (shop) => [await added(plain()), shop]),
    );
    for (const [row, shop] of some as [Row, unknown][])
      await rows().updateOne(
        { _id: row._id },
        shop === undefined ? { $unset: { shop: '' } } : { $set: { shop } },
      );
    const away = { name: 'by the app', _sync_version: { $exists: false } };
    await until(async () => (await rows().countDocuments(away)) === some.length);
    for (const [row] of some as [Row][]) {
      const left = Object.keys((await stored(row._id)) ?? {});
      expect(left.filter((key) => key.startsWith('_sync'))).toEqual([]);
      expect(await entriesOf(row._id)).toEqual(['upsert', 'delete']);
    }
    const [[row]] = some as [[Row]];
    await rows().updateOne({ _id: row._id }, { $set: { shop: 'south' } });
    await until(() => isRecorded(row._id));
    expect(await entriesOf(row._id, 'south')).toEqual(['upsert']);
    await goesOn('items');
  });

  it('ids that devices could not name, or would take for another document’s, are named and left alone', async () => {
    const id = new Types.ObjectId();
    await added(plain('north', { _id: id.toHexString() }), 'others');
    const odd = [
      id,
      { a: 1 },
      new Date(0),
      new mongoose.mongo.Binary(Buffer.from('id')),
      'x'.repeat(300),
      1.5,
    ];
    await rows('others').insertMany(odd.map((_id) => plain('north', { _id })));
    await rows('items').insertOne(plain('north', { _id: 'no ObjectId' }));
    await goesOn('items');
    for (const _id of odd) expect(await isRecorded(_id, 'others')).toBe(false);
    expect(told(/Collection others.*invalid_doc_id/)).toHaveLength(1);
    expect(told(/Collection items.*invalid_doc_id/)).toHaveLength(1);
    expect(told(/no ObjectId/)).toEqual([]);
    const ids = (await logOf('north')).map(({ doc_id }) => doc_id);
    expect(new Set(ids).size).toBe(ids.length);
    // Also on the way that a device's push takes.
    const [result] = await app.as('north').push([upsert('others', id.toHexString(), { shop: 'north' })]);
    expect(result).toMatchObject({ code: 'conflict_stale' });
  });

  it('documents of almost 16 MB are refused with a message, from an insert and from growth, and can go', async () => {
    const grown = await added(plain());
    await rows().insertOne(plain('north', { _id: new Types.ObjectId(), notes: LARGE }));
    // As JSON, in an entry, it is twice as long.
    await rows().updateOne({ _id: grown._id }, { $set: { notes: '"'.repeat(9 << 20) } });
    await until(() => told(/Collection items.*document_too_large/).length === 1);
    const device = app.as('north');
    const parent_version = String((await stored(grown._id))?.['_sync_version']);
    const small = { name: 'small again', shop: 'north' };
    const push = await device.tryPush([upsert('items', String(grown._id), small, { parent_version })]);
    expect([push.status, push.text]).toEqual([200, expect.stringContaining('document_too_large')]);
    await rows().updateOne({ _id: grown._id }, { $set: { notes: 'short' } });
    await until(async () => (await entriesOf(grown._id)).length > 1);
    await rows().deleteOne({ _id: grown._id });
    await until(async () => (await entriesOf(grown._id)).at(-1) === 'delete');
    await goesOn('items');
  });

  it('a document whose recording fails for a reason that nobody foresaw is set aside, and tried again when it is written', async () => {
    const [first, second] = [plain('north', { name: 'unlucky' }), plain('north', { name: 'unlucky' })];
    await app.db.command({ collMod: 'sync_oplog', validator: { $nor: [{ wire: /unlucky/ }] } });
    await rows().insertMany([plain(), first, plain(), second, plain()].map((row) => ({ ...row })));
    await goesOn('items');
    const isSynced = { _sync_version: { $exists: true } };
    await until(async () => (await rows().countDocuments({ shop: 'north', ...isSynced })) === 4);
    for (const row of [first, second]) {
      expect(await stored(row._id)).toEqual(row);
      expect(told(new RegExp(`items.*${String(row._id)}.*MongoServerError 121`))).toHaveLength(1);
    }
    expect(told(/unlucky/)).toEqual([]);
    expect(told(/interrupted|could not be committed/)).toEqual([]);
    const metrics = await app.registry.metrics();
    expect(Number(/documents_total{status="refused"} (\d+)/.exec(metrics)?.[1])).toBeGreaterThanOrEqual(2);
    await app.db.command({ collMod: 'sync_oplog', validator: {} });
    await rows().updateOne({ _id: first._id }, { $set: { notes: 'again' } });
    await until(() => isRecorded(first._id));
    expect(await entriesOf(first._id)).toEqual(['upsert']);
  });

  it('moves are seen while pre-images are switched off from outside, which is undone', async () => {
    const [moved, gone] = [await added(plain()), await added(plain())];
    const images = async (): Promise<unknown> =>
      ((await app.db.listCollections({ name: 'items' }).toArray()) as mongo.Document[])[0]?.['options']
        ?.changeStreamPreAndPostImages;
    await app.db.command({ collMod: 'items', changeStreamPreAndPostImages: { enabled: false } });
    await rows().updateOne({ _id: moved._id }, { $set: { shop: 'south' } });
    await until(async () => (await stored(moved._id))?.['_sync_scope_id'] === 'south');
    await rows().deleteOne({ _id: gone._id });
    await until(async () => (await entriesOf(gone._id)).at(-1) === 'delete');
    expect(await entriesOf(moved._id)).toEqual(['upsert', 'delete']);
    expect(await entriesOf(moved._id, 'south')).toEqual(['upsert']);
    await until(async () => JSON.stringify(await images()) === '{"enabled":true}');
    await goesOn('items');
  });

  it.each<[string, () => Promise<unknown>]>([
    ['dropped', () => rows().drop()],
    ['renamed', () => rows().rename('items_old')],
    [
      'dropped and made again',
      async () => {
        await rows().drop();
        await rows().insertOne(plain('south'));
      },
    ],
    [
      'replaced by $out',
      () =>
        rows('others')
          .aggregate([{ $match: { name: 'nobody' } }, { $out: 'items' }])
          .toArray(),
    ],
    [
      'replaced by a rename',
      async () => {
        await rows('fresh').insertOne({ _id: new Types.ObjectId(), name: 'fresh' });
        await rows('fresh').rename('items', { dropTarget: true });
      },
    ],
  ])(
    'a collection that is %s: its documents are gone for devices, and what is made there is captured',
    async (how, harm) => {
      const gone = await added(plain());
      await harm();
      if (how !== 'dropped') await until(async () => (await entriesOf(gone._id)).at(-1) === 'delete');
      await goesOn('items');
      await until(async () => (await entriesOf(gone._id)).at(-1) === 'delete');
      // Deletes and moves are captured in the new one as well.
      const again = await added(plain());
      await rows().deleteOne({ _id: again._id });
      await until(async () => (await entriesOf(again._id)).at(-1) === 'delete');
      expect((await app.as('south').send('/sync/full?limit=0')).status).toBe(200);
    },
  );

  it('a collection that is dropped is not made again while nobody misses anything, and is ready when it is back', async () => {
    await rows().drop();
    // Capture has seen it by then.
    await goesOn();
    await app.db.createCollection('items', { collation: { locale: 'de' } });
    await until(async () => {
      const [made] = (await app.db.listCollections({ name: 'items' }).toArray()) as mongo.Document[];
      return made?.['options'].changeStreamPreAndPostImages?.enabled === true;
    });
    expect(await rows().indexExists('_sync_scope_id_1__id_1')).toBe(true);
    await goesOn('items');
  });

  it.each<[string, mongo.CreateCollectionOptions]>([
    ['view', { viewOn: 'others', pipeline: [] }],
    ['capped collection', { capped: true, size: 4096 }],
    ['time-series collection', { timeseries: { timeField: 'at' } }],
  ])('a collection that somebody makes again as a %s is named, and others go on', async (kind, options) => {
    await added(plain());
    await rows().drop();
    await app.db.createCollection('items', options);
    await goesOn();
    await until(() => told(new RegExp(`items is a ${kind}`)).length > 0);
    await app.db.dropCollection('items');
    await goesOn('items');
  });

  it('a document that is replaced as a whole and deleted at once is gone for devices', async () => {
    const some = await Promise.all(Array.from({ length: 5 }, () => added(plain())));
    for (const { _id } of some)
      await rows().bulkWrite([
        { replaceOne: { filter: { _id }, replacement: { name: 'replaced', shop: 'north' } } },
        { deleteOne: { filter: { _id } } },
      ]);
    await goesOn('items');
    for (const { _id } of some) expect((await entriesOf(_id)).at(-1)).toBe('delete');
  });

  it('what a TTL index deletes leaves tombstones, which stay', async () => {
    await rows().createIndex({ expiry: 1 }, { expireAfterSeconds: 0 });
    const [old, young] = [await added(plain()), await added(plain())];
    await rows().updateOne({ _id: young._id }, { $set: { expiry: new Date(Date.now() + 3_600_000) } });
    await rows().updateOne({ _id: old._id }, { $set: { expiry: new Date(0) } });
    await until(async () => (await entriesOf(old._id)).at(-1) === 'delete', 100_000);
    expect(await stored(old._id)).toMatchObject({ _sync_deleted: true });
    expect((await entriesOf(young._id)).at(-1)).toBe('upsert');
    await goesOn('items');
  });
});
