import { SyncAdminService, type AdoptReport, type SyncIdentity } from 'nest-offline-sync';
import { Schema, Types } from 'mongoose';
import { testDatabase } from '../../support/database';
import {
  agreedState,
  pullAll,
  startWritesApp,
  threeStates,
  upsertOf,
  type WritesApp,
} from '../../support/writes-app';

const who = (scopeId: string): SyncIdentity => ({ scopeId, actorId: 'ann' });
const SHOPS = ['north', 'south', 'east'];

/** What the app's own code has written, before anybody thought of sync. */
function plainItems(count: number, more: object = {}): object[] {
  return Array.from({ length: count }, (_, n) => ({
    _id: new Types.ObjectId(),
    name: `item ${String(n)}`,
    stock: n,
    state: 'old',
    shop: SHOPS[n % SHOPS.length],
    ...more,
  }));
}

describe('adopting documents that the app has already', () => {
  const database = testDatabase(__filename);
  let app: WritesApp;
  let admin: SyncAdminService;

  beforeAll(async () => {
    app = await startWritesApp(database.uri, {}, {}, (schema) => {
      schema.add({ shop: Schema.Types.Mixed } as never);
    });
    admin = app.app.get(SyncAdminService);
  });
  afterEach(async () => {
    for (const { name } of await app.oplog.db.listCollections().toArray())
      if (name !== 'sync_leases') await app.oplog.db.collection(name).deleteMany({});
    await app.oplog.db.collection<{ _id: string }>('sync_leases').deleteMany({ _id: /^adopt/ });
  });
  afterAll(() => app.close());

  const stored = () => app.oplog.db.collection('items');
  const adopt = (more: object = {}): Promise<AdoptReport> =>
    admin.adopt({ collection: 'items', scopeField: 'shop', ...more });
  const cursorOf = async (scope: string): Promise<string> => {
    const page = await app.sync.pull(who(scope), {});
    if (!('changes' in page)) throw new Error('a full resync was required');
    return page.last_seq;
  };

  it('gives each document an entry: log, full resync and collection agree, and the app’s fields stay', async () => {
    await stored().insertMany(plainItems(4100));
    const before = await stored()
      .find({}, { sort: { _id: 1 } })
      .toArray();
    const progress: number[] = [];
    const report = await adopt({
      actor: 'importer',
      onProgress: ({ seen }: { seen: number }) => progress.push(seen),
    });
    expect(report).toMatchObject({ adopted: 4100, scopes: 3, refused: [] });
    expect(progress).toEqual([2000, 4000, 4100]);
    for (const scope of SHOPS) {
      const state = await agreedState(app, who(scope));
      expect(Object.keys(state).length).toBeGreaterThan(1360);
    }
    const after = await stored()
      .find({}, { sort: { _id: 1 } })
      .toArray();
    expect(
      after.map((row) =>
        Object.fromEntries(Object.entries(row).filter(([key]) => !key.startsWith('_sync_'))),
      ),
    ).toEqual(before);
    expect(new Set(after.map((row) => String(row['_sync_actor_id'])))).toEqual(new Set(['importer']));
    // A second run finds nothing to do.
    expect(await adopt()).toMatchObject({ adopted: 0 });
    // A device edits what was never its own before.
    const id = String(after[0]?._id);
    const shop = String(after[0]?.['shop']);
    const edit = upsertOf('items', id, { name: 'mine', stock: 1, state: 's', shop });
    const parent_version = String(after[0]?.['_sync_version']);
    const { results } = await app.push(who(shop), [{ ...edit, parent_version }]);
    expect(results[0]?.status).toBe('accepted');
    await agreedState(app, who(shop));
  });

  it('without the log, devices load their scope again once, and then have all of it', async () => {
    await app.push(who('north'), [upsertOf('drafts', 'd1', { n: 1 })]);
    const cursor = await cursorOf('north');
    await stored().insertMany(plainItems(1100));
    expect(await adopt({ log: false })).toMatchObject({ adopted: 1100, scopes: 3 });
    expect(await app.sync.pull(who('north'), { since: cursor })).toMatchObject({ reason: 'too_old' });
    for (const scope of SHOPS) {
      const page = await app.sync.full(who(scope), { limit: 0 });
      let text = '';
      for await (const chunk of page.lines) text += String(chunk);
      const lines = text.split('\n').filter((line) => line.includes('"items"'));
      expect(lines).toHaveLength(await stored().countDocuments({ shop: scope }));
      expect(await app.sync.pull(who(scope), { since: page.lastSeq })).toMatchObject({ changes: [] });
      const head = await app.oplog.readHead(scope);
      expect(head).not.toHaveProperty('adopting');
      // Trimming finds nothing that it could stumble over.
      expect(head?.seq).toBe((head?.floorSeq ?? 0) + 1);
    }
    await app.push(who('north'), [upsertOf('drafts', 'd2', {})]);
  });

  it('in a dry run writes nothing, counts scopes, and names what cannot be adopted', async () => {
    await stored().insertMany([
      ...plainItems(5),
      ...plainItems(2, { shop: undefined, name: 'lost' }).map(({ ...item }) => item),
      ...plainItems(1, { shop: ['north', 'south'] }),
      ...plainItems(1, { shop: { name: 'north' } }),
      ...plainItems(1, { stock: -1 }),
      { _id: { a: 1 } as never, name: 'odd', shop: 'north' },
      { _id: new Types.ObjectId(), name: 'two', shop: 'north', _sync_scope_id: ['north', 'south'] },
    ]);
    await stored().insertOne({ shop: 'north', name: 'large', notes: 'x'.repeat((16 << 20) - 5000) });
    const report = await adopt({ dryRun: true });
    expect(report).toMatchObject({
      dryRun: true,
      adopted: 5,
      scopes: 3,
      largestScopes: expect.arrayContaining([{ scope: 'north', documents: 2 }]) as object,
    });
    expect(report.refused.map(({ code, message, count }) => [code, message, count])).toEqual(
      expect.arrayContaining([
        ['scope_missing', 'shop is missing', 2],
        ['scope_missing', expect.stringContaining('several scopes'), 1],
        ['scope_missing', expect.stringContaining('is no scope'), 1],
        ['validation_failed', expect.stringContaining('stock'), 1],
        ['invalid_doc_id', expect.anything(), 1],
        ['document_too_large', expect.anything(), 1],
      ]),
    );
    expect(await stored().countDocuments({ _sync_version: { $exists: true } })).toBe(0);
    expect(await app.oplog.entries.countDocuments()).toBe(0);
    // For real: the good ones are taken, the others named again and left as they are.
    const real = await adopt();
    expect(real.adopted).toBe(5);
    expect(real.refused).toEqual(report.refused);
    expect(await adopt({ log: false })).toMatchObject({ adopted: 0 });
  });

  it('names documents that a unique index refuses together, and takes the rest', async () => {
    await stored().insertMany([
      ...plainItems(3, { shop: 'north' }),
      ...plainItems(2, { shop: 'north', sku: 'same' }),
    ]);
    const refused = [{ code: 'unique_violation', count: 1 }];
    expect((await adopt()).refused).toMatchObject(refused);
    expect(await stored().countDocuments({ _sync_scope_id: 'north' })).toBe(4);
    await agreedState(app, who('north'));
    expect((await adopt({ log: false })).refused).toMatchObject(refused);
    expect(await stored().countDocuments({ _sync_scope_id: 'north' })).toBe(4);
  });

  it('names the document that the database refuses of many, and counts the others in their scopes', async () => {
    await stored().insertMany([
      ...plainItems(400, { shop: 'north' }),
      ...plainItems(1, { shop: 'south', sku: 'same' }),
      ...plainItems(300, { shop: 'north' }),
      ...plainItems(1, { shop: 'south', sku: 'same' }),
    ]);
    const { refused, largestScopes } = await adopt({ log: false });
    const left = await stored().find({ _sync_scope_id: null }).toArray();
    expect(left).toHaveLength(1);
    expect({ refused, largestScopes }).toMatchObject({
      refused: [
        { code: 'unique_violation', count: 1, examples: [JSON.stringify({ $oid: String(left[0]?._id) })] },
      ],
      largestScopes: [
        { scope: 'north', documents: 700 },
        { scope: 'south', documents: 1 },
      ],
    });
  });

  it.each([true, false])('goes on where it was stopped (log: %s)', async (log) => {
    await stored().insertMany(plainItems(7000));
    for (let stops = 1; stops <= 3; stops++) {
      const stop = new AbortController();
      const run = adopt({ log, signal: stop.signal, onProgress: () => stop.abort() });
      await expect(run).rejects.toMatchObject({ code: 'shutting_down' });
      // Another field now would divide the collection in two ways.
      await expect(adopt({ log, scopeField: 'state' })).rejects.toMatchObject({ code: 'configuration' });
    }
    await adopt({ log });
    expect(await stored().countDocuments({ _sync_scope_id: null })).toBe(0);
    expect(await app.oplog.heads.countDocuments({ adopting: { $exists: true } })).toBe(0);
    for (const scope of SHOPS) {
      if (log) await agreedState(app, who(scope));
      else expect(await app.sync.pull(who(scope), {})).toMatchObject({ reason: 'too_old' });
    }
  });

  it.each([true, false])(
    'loses nothing that the app and devices write meanwhile, also when started twice (log: %s)',
    async (log) => {
      const items = plainItems(900) as { _id: Types.ObjectId; shop: string }[];
      await stored().insertMany(items);
      const device = who('north');
      let done = false;
      let bumps = 0;
      const made: string[] = [];
      const appWrites = (async () => {
        for (let n = 0; !done; n++) {
          const { modifiedCount } = await stored().updateMany(
            { _id: { $in: items.slice(n % 800, (n % 800) + 40).map(({ _id }) => _id) } },
            { $inc: { stock: 1000 } },
          );
          bumps += modifiedCount;
          await stored().insertMany(plainItems(3));
        }
      })();
      const pushes = (async () => {
        for (let n = 0; !done; n++) {
          const id = `made-${String(n)}`;
          await app.push(device, [upsertOf('drafts', id, { n })]);
          made.push(id);
        }
      })();
      const runs = await Promise.allSettled([adopt({ log }), adopt({ log })]);
      done = true;
      await Promise.all([appWrites, pushes]);
      expect(runs.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(runs.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'busy' } });
      await adopt({ log });
      const rows = await stored().find({}).toArray();
      expect(rows.filter((row) => typeof row['_sync_version'] !== 'string')).toEqual([]);
      expect(rows.every((row) => row['_sync_scope_id'] === row['shop'])).toBe(true);
      const sum = rows.reduce((total, row) => total + Math.floor(Number(row['stock']) / 1000), 0);
      expect(sum).toBe(bumps);
      if (log) {
        const entries = (await pullAll(app, device)).filter(({ collection }) => collection === 'items');
        expect(new Set(entries.map(({ doc_id }) => doc_id)).size).toBe(
          rows.filter((row) => row['shop'] === 'north').length,
        );
      }
      const drafts = await app.oplog.db.collection('drafts').countDocuments({ _sync_deleted: false });
      expect(drafts).toBe(made.length);
    },
  );

  it('is taken back: no field of sync is left, and devices load scopes without those documents', async () => {
    await stored().insertMany(plainItems(700));
    await adopt();
    const [gone] = await stored().find({ shop: 'north' }).toArray();
    const removal = {
      collection: 'items',
      operation: 'delete',
      doc_id: String(gone?._id),
      parent_version: String(gone?.['_sync_version']),
    };
    await app.push(who('north'), [removal]);
    const cursor = await cursorOf('south');
    expect(await admin.revert({ collection: 'items' })).toMatchObject({
      released: 699,
      removedTombstones: 1,
      scopes: 3,
    });
    expect(await app.sync.pull(who('south'), { since: cursor })).toMatchObject({ reason: 'too_old' });
    const rows = await stored().find({}).toArray();
    expect(rows).toHaveLength(699);
    expect(rows.flatMap((row) => Object.keys(row)).filter((key) => key.startsWith('_sync_'))).toEqual([]);
    const { full, stored: left } = await threeStates(app, who('south')).catch(() => ({
      full: {},
      stored: {},
    }));
    expect(full).toEqual(left);
    expect(await adopt({ log: false })).toMatchObject({ adopted: 699 });
  });

  it.each([true, false])(
    'is taken back in the middle, in two runs, and then adopted by another field (log: %s)',
    async (log) => {
      await stored().insertMany(plainItems(2100));
      const [stop, pause] = [new AbortController(), new AbortController()];
      const half = adopt({ log, signal: stop.signal, onProgress: () => stop.abort() });
      await expect(half).rejects.toMatchObject({ code: 'shutting_down' });
      const some = { collection: 'items', signal: pause.signal, onProgress: () => pause.abort() };
      await expect(admin.revert(some)).rejects.toMatchObject({ code: 'shutting_down' });
      expect(await stored().countDocuments({ _sync_scope_id: null })).toBeGreaterThan(100);
      expect(await stored().countDocuments({ _sync_scope_id: { $ne: null } })).toBeGreaterThan(0);
      await admin.revert({ collection: 'items' });
      const rows = await stored().find({}).toArray();
      expect(rows).toHaveLength(2100);
      expect(rows.flatMap((row) => Object.keys(row)).filter((key) => key.startsWith('_sync_'))).toEqual([]);
      expect(await app.oplog.heads.countDocuments({ adopting: { $exists: true } })).toBe(0);
      for (const scope of SHOPS)
        expect(await app.sync.pull(who(scope), {})).toMatchObject({ reason: 'too_old' });
      expect(await adopt({ log, scopeField: 'state' })).toMatchObject({ adopted: 2100, scopes: 1 });
    },
  );

  it('refuses what cannot be', async () => {
    for (const [options, path] of [
      [{ collection: 'nobody' }, 'collection'],
      [{ collection: 'notes' }, 'collection'],
      [{ scopeField: '' }, 'scopeField'],
      [{ scopeField: '_id' }, 'scopeField'],
      [{ where: [] }, 'where'],
      [{ actor: '' }, 'actor'],
    ] as const)
      await expect(adopt(options)).rejects.toMatchObject({ code: 'configuration', path });
  });
});
