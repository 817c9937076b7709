import { Schema, Types } from 'mongoose';
import { SyncAdminService, type SyncIdentity, type SyncOptions, type VerifyReport } from 'nest-offline-sync';
import { trimOnce } from '../../../libs/sync/src/retention/trim-once';
import { testDatabase } from '../../support/database';
import { until } from '../../support/until';
import { agreedState, startWritesApp, threeStates, upsertOf, type WritesApp } from '../../support/writes-app';

const who = (scopeId: string): SyncIdentity => ({ scopeId, actorId: 'ann' });
const NORTH = who('north');
const SOUTH = who('south');
const COLLECTIONS = ['notes', 'drafts', 'items'];
const CAPTURED: Partial<SyncOptions> = {
  collections: [
    { name: 'notes', freeForm: true, ids: 'scoped' },
    { name: 'drafts', freeForm: true, ids: 'global' },
    { name: 'items', ids: 'global', capture: true, scopeField: 'shop' },
  ],
};

describe('SyncAdminService.verify', () => {
  const database = testDatabase(__filename);
  let app: WritesApp;

  const start = (options: Partial<SyncOptions> = {}): Promise<WritesApp> =>
    startWritesApp(database.uri, options, {}, (schema) => {
      schema.add({ shop: Schema.Types.Mixed } as never);
    });
  beforeAll(async () => {
    app = await start();
  });
  afterEach(async () => {
    for (const { name } of await app.oplog.db.listCollections().toArray())
      await app.oplog.db.collection(name).deleteMany({});
  });
  afterAll(() => app.close());

  const admin = (of = app) => of.app.get(SyncAdminService);
  const items = () => app.oplog.db.collection('items');
  /** Pushes items and gives their ids. */
  const pushed = async (count: number, identity = NORTH): Promise<Types.ObjectId[]> => {
    const ids = Array.from({ length: count }, () => new Types.ObjectId());
    await app.push(
      identity,
      ids.map((id, n) =>
        upsertOf('items', String(id), { name: `item ${String(n)}`, stock: n, state: 'new' }),
      ),
    );
    return ids;
  };
  const stored = () => items().find().toArray();
  const own = (row: object) =>
    Object.fromEntries(Object.entries(row).filter(([key]) => !key.startsWith('_sync_')));
  const removed = async (id: Types.ObjectId, identity: SyncIdentity): Promise<void> => {
    const parent_version = String((await items().findOne({ _id: id }))?.['_sync_version']);
    await app.push(identity, [
      { collection: 'items', operation: 'delete', doc_id: String(id), parent_version },
    ]);
  };
  const kinds = ({ compared }: VerifyReport): string[] =>
    compared.flatMap(({ scope, examples }) => examples.map(({ what }) => `${scope}: ${what}`)).sort();
  const contents = async (): Promise<unknown> => {
    const all = await app.oplog.db.listCollections().toArray();
    const rows = all
      .filter(({ name }) => name !== 'sync_leases')
      .map(async ({ name }) => [name, await app.oplog.db.collection(name).find().toArray()]);
    return (await Promise.all(rows)).sort();
  };
  /** Repairs, and then nothing differs any more. */
  const repaired = async (options: object = {}): Promise<VerifyReport> => {
    const report = await admin().verify({ ...options, repair: true });
    expect(report.left).toBe(0);
    expect(await admin().verify()).toMatchObject({ differences: 0, left: 0, reloads: 0 });
    return report;
  };
  const trim = async (): Promise<void> => {
    const stores = COLLECTIONS.map((name) => app.oplog.db.collection<Record<string, unknown>>(name));
    const rules = {
      oplogTtlDays: 0,
      oplogMaxEntries: 1,
      receiptTtlDays: 30,
      trimGraceMs: 0,
      tombstoneTtlDays: 0,
    };
    for (let run = 0; run < 2; run++) await trimOnce({ oplog: app.oplog, stores }, rules);
  };
  const cursorOf = async (identity: SyncIdentity): Promise<string> => {
    const page = await app.sync.pull(identity, {});
    if (!('changes' in page)) throw new Error('a full resync was required');
    return page.last_seq;
  };
  /** What a device has that loads everything, and what is stored. */
  const loaded = async (identity: SyncIdentity) => {
    const page = await app.sync.full(identity, { limit: 0 });
    let text = '';
    for await (const chunk of page.lines) text += String(chunk);
    return { text, since: page.lastSeq };
  };

  type Damage = (id: Types.ObjectId, identity: SyncIdentity) => Promise<unknown>;
  const set =
    (fields: object): Damage =>
    (id) =>
      items().updateOne({ _id: id }, { $set: fields });
  const plain = { name: 'plain', stock: 1, state: 'new' };
  const later = '29990502T120000.000Z-0001-a1b2';
  const DAMAGES: readonly (readonly [readonly string[], Damage])[] = [
    [['other content'], set({ stock: 777 })],
    [['other version'], set({ _sync_version: '20260502T120000.000Z-0001-a1b2' })],
    [['other version'], set({ _sync_version: later, stock: 5 })],
    [['bad version'], set({ _sync_version: 7 })],
    [['wrong hash'], set({ _sync_hash: 'of something else' })],
    [
      ['no entry'],
      (_, { scopeId }) =>
        items().insertOne({ ...plain, _sync_scope_id: scopeId, _sync_version: later, _sync_deleted: false }),
    ],
    [
      ['not deleted'],
      async (id, identity) => {
        await removed(id, identity);
        await set({ ...plain, _sync_deleted: false })(id, identity);
      },
    ],
    [['deleted'], set({ _sync_deleted: true })],
    [['no document'], (id) => items().deleteOne({ _id: id })],
    [
      ['no tombstone'],
      async (id, identity) => {
        await removed(id, identity);
        await items().deleteOne({ _id: id });
      },
    ],
    [['other scope', 'elsewhere: no entry'], set({ _sync_scope_id: 'elsewhere' })],
    [['no scope'], (id) => items().replaceOne({ _id: id }, plain)],
  ];

  it('finds each kind of damage, and records it: devices get what the app has stored', async () => {
    const cursors = new Map<string, string>();
    const expected: string[] = [];
    // Of each collection and scope some examples are named: four in one scope.
    const scopes = ['A', 'B', 'C'].map(who);
    for (const [at, [names, damage]] of DAMAGES.entries()) {
      const identity = scopes[at % scopes.length] ?? NORTH;
      const [id = new Types.ObjectId()] = await pushed(2, identity);
      cursors.set(identity.scopeId, await cursorOf(identity));
      await damage(id, identity);
      for (const name of names) expected.push(name.includes(':') ? name : `${identity.scopeId}: ${name}`);
    }
    const damaged = new Map((await stored()).map((row) => [String(row._id), own(row)]));
    const written = await contents();
    const dry = await admin().verify();
    expect(kinds(dry)).toEqual(expected.sort());
    expect(dry).toMatchObject({ differences: expected.length, left: expected.length, reloads: 0 });
    expect(await contents()).toEqual(written);

    // A document that is in another scope is recorded in both at once, and may not differ in the other one any more.
    const { differences, reloads } = await repaired();
    expect([expected.length, expected.length - 1]).toContain(differences);
    expect(reloads).toBe(0);
    for (const scope of [...cursors.keys(), 'elsewhere']) await agreedState(app, who(scope));
    // Nothing that the app has stored is gone or another.
    const kept = new Map((await stored()).map((row) => [String(row._id), own(row)]));
    for (const [id, fields] of damaged) expect(kept.get(id)).toEqual(fields);
    // Devices go on from where they were.
    for (const [scope, since] of cursors) {
      const page = await app.sync.pull(who(scope), { since });
      expect('changes' in page && page.changes.length).toBeGreaterThan(0);
    }
  });

  it('finds documents of any collection, however many, also those of a collection that is gone', async () => {
    const ids = await pushed(600);
    await app.push(
      NORTH,
      Array.from({ length: 600 }, (_, n) => upsertOf('notes', `n${String(n)}`, { n })),
    );
    const rows = app.oplog.db.collection('notes');
    await rows.updateMany({ n: { $gte: 50 } }, { $inc: { n: 1000 } });
    await rows.deleteMany({ n: { $lt: 25 } });
    await items().drop();
    const report = await repaired();
    expect(report).toMatchObject({ differences: 600 + 550 + 25, reloads: 0 });
    expect(Object.keys(await agreedState(app, NORTH))).toHaveLength(575);
    expect(await items().countDocuments({ _id: { $in: ids }, _sync_deleted: true })).toBe(600);
  });

  it('where the log was trimmed and something differs, devices load again and have what is stored', async () => {
    const ids = await pushed(6);
    await pushed(2, SOUTH);
    const [cursor, south] = [await cursorOf(NORTH), await cursorOf(SOUTH)];
    await trim();
    // Below the floor nobody can see it.
    await items().deleteOne({ _id: ids[0] as never });
    await items().updateOne({ _id: ids[1] }, { $set: { stock: 50 } });
    expect(await admin().verify()).toMatchObject({ differences: 0, unknown: 5 });
    expect(await app.sync.pull(NORTH, { since: cursor })).toMatchObject({ changes: [] });

    await pushed(1);
    await items().updateOne({ name: 'item 0', stock: 0, _sync_scope_id: 'north' }, { $set: { stock: 60 } });
    const report = await repaired();
    expect(report).toMatchObject({ differences: 1, reloads: 1, reloaded: ['north'] });
    expect(await app.sync.pull(NORTH, { since: cursor })).toMatchObject({ reason: 'too_old' });
    expect(await app.sync.pull(SOUTH, { since: south })).toMatchObject({ changes: [] });
    const { text } = await loaded(NORTH);
    expect(text).toContain('"stock":50');
    expect(text).toContain('"stock":60');
    expect(text).not.toContain(String(ids[0]));
  });

  it.each([
    ['no head', () => app.oplog.heads.deleteOne({ _id: 'north' })],
    [
      'head behind',
      async () => {
        const [entry] = await app.oplog.entries.find({ scope: 'north', seq: 2 }).toArray();
        await app.oplog.heads.updateOne(
          { _id: 'north' },
          { $set: { seq: 2, version: entry?.version ?? '' } },
        );
      },
    ],
    ['bad head', () => app.oplog.heads.updateOne({ _id: 'north' }, { $set: { floor: 'z' } })],
    ['not in order', () => app.oplog.entries.deleteOne({ scope: 'north', seq: 3 })],
  ] as const)('a log with %s is passed: devices load again, and pushes go on', async (what, damage) => {
    await pushed(5);
    const cursor = await cursorOf(NORTH);
    await damage();
    const dry = await admin().verify();
    expect(dry.logs).toEqual([{ scope: 'north', what }]);
    expect(dry.left).toBeGreaterThan(0);
    expect(await repaired()).toMatchObject({ reloads: 1, reloaded: ['north'] });
    expect(await app.sync.pull(NORTH, { since: cursor })).toMatchObject({ reason: 'too_old' });
    const { text, since } = await loaded(NORTH);
    expect(text.match(/"name":/g)).toHaveLength(5);
    const [id] = await pushed(1);
    expect(await app.sync.pull(NORTH, { since })).toMatchObject({ changes: [{ doc_id: String(id) }] });
    expect(await admin().verify()).toMatchObject({ differences: 0 });
  });

  it('names documents that are in no scope, and an adoption that is not finished, and leaves both alone', async () => {
    await items().insertMany(
      Array.from({ length: 3 }, (_, n) => ({ name: `plain ${String(n)}`, stock: 1, shop: 'north' })),
    );
    expect(await repaired()).toMatchObject({
      differences: 0,
      unscoped: [{ collection: 'items', count: 3, examples: expect.any(Array) as unknown }],
    });
    const stop = new AbortController();
    await items().insertMany(
      Array.from({ length: 900 }, (_, n) => ({ name: `more ${String(n)}`, stock: 1, shop: 'north' })),
    );
    const run = { collection: 'items', scopeField: 'shop', log: false } as const;
    const half = admin().adopt({ ...run, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(half).rejects.toMatchObject({ code: 'shutting_down' });
    const { version = '' } = (await app.oplog.readHead('north')) ?? {};
    await items().updateOne({ _sync_scope_id: 'north' }, { $set: { _sync_version: `${version}1` } });
    const report = await admin().verify({ repair: true });
    expect(report).toMatchObject({ differences: 1, left: 1, adopting: ['items'] });
    expect(await app.oplog.entries.countDocuments()).toBe(0);
    await admin().adopt(run);
    expect(await admin().verify()).toMatchObject({ differences: 0, adopting: [] });
  });

  it('one repairs at a time, and one that was stopped anywhere is finished by the next', async () => {
    await pushed(600);
    await items().updateMany({}, { $inc: { stock: 1 } });
    const runs = await Promise.allSettled([
      admin().verify({ repair: true }),
      admin().verify({ repair: true }),
    ]);
    expect(runs.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(runs.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'busy' } });
    expect(await app.oplog.entries.countDocuments()).toBe(1200);
    await items().updateMany({}, { $inc: { stock: 1 } });
    const stop = new AbortController();
    const half = admin().verify({ repair: true, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(half).rejects.toMatchObject({ code: 'shutting_down' });
    await repaired();
    expect(await app.oplog.entries.countDocuments()).toBe(1800);
    await agreedState(app, NORTH);
  });

  it('refuses what cannot be', async () => {
    for (const [options, path] of [
      [{ collections: ['nobody'] }, 'collection'],
      [{ limit: 0 }, 'limit'],
      [{ scope: 'nowhere' }, undefined],
    ] as const)
      await expect(admin().verify(options)).rejects.toMatchObject({ code: 'configuration', path });
  });
});

describe('SyncAdminService.verify while a collection is captured', () => {
  const database = testDatabase(`${__filename}-captured`);
  let app: WritesApp;
  beforeAll(async () => {
    app = await startWritesApp(database.uri, CAPTURED, {}, (schema) => {
      schema.add({ shop: Schema.Types.Mixed } as never);
    });
  });
  afterAll(() => app.close());

  it('takes no write that is on its way for a difference, and repairs beside it lose nothing', async () => {
    const admin = app.app.get(SyncAdminService);
    const rows = app.oplog.db.collection<{ _id: Types.ObjectId; stock: number }>('items');
    const ids = Array.from({ length: 60 }, () => new Types.ObjectId());
    await rows.insertMany(
      ids.map((_id, n) => ({ _id, name: `i${String(n)}`, stock: 0, state: 'new', shop: 'north' })),
    );
    let done = false;
    let bumps = 0;
    const services = (async () => {
      for (let n = 0; !done; n++) {
        const { modifiedCount } = await rows.updateMany(
          { _id: { $in: ids.slice(n % 50, (n % 50) + 10) } },
          { $inc: { stock: 1 } },
        );
        bumps += modifiedCount;
      }
    })();
    const devices = (async () => {
      for (let n = 0; !done; n++) await app.push(NORTH, [upsertOf('drafts', `d${String(n % 7)}`, { n })]);
    })();
    const reports: VerifyReport[] = [];
    try {
      await until(async () => (await rows.countDocuments({ _sync_scope_id: null })) === 0, 60_000);
      for (const repair of [false, true]) reports.push(await admin.verify({ repair }));
    } finally {
      done = true;
      await Promise.all([services, devices]);
    }
    expect(reports.map(({ left, reloads }) => [left, reloads])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    await until(async () => {
      const { log, stored } = await threeStates(app, NORTH);
      const sum = (state: object) =>
        Object.values(state).reduce(
          (total: number, row) => total + ((row as { stock?: number }).stock ?? 0),
          0,
        );
      return sum(log) === bumps && sum(stored) === bumps;
    }, 60_000);
    expect(await admin.verify()).toMatchObject({ differences: 0 });
    await agreedState(app, NORTH);
  });
});
