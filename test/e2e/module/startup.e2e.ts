import {
  Injectable,
  Module,
  VersioningType,
  type DynamicModule,
  type INestApplication,
  type ModuleMetadata,
  type OnModuleInit,
} from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import { WsAdapter } from '@nestjs/platform-ws';
import mongoose, { Schema, type ConnectOptions } from 'mongoose';
import { SyncModule, type SyncModuleExtras, type SyncOptions } from 'nest-offline-sync';
import { WebSocket } from 'ws';
import { CollectionRegistry } from '../../../libs/sync/src/collections/collection-registry';
import { SyncHealthIndicator } from '../../../libs/sync/src/health/sync-health';
import { EngineSessions } from '../../../libs/sync/src/cluster/engine-sessions';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import { trimOnce } from '../../../libs/sync/src/retention/trim-once';
import { resolveSettings } from '../../../libs/sync/src/options/settings';
import { SyncService } from '../../../libs/sync/src/sync.service';
import { testDatabase, type TestDatabase } from '../../support/database';
import { startHttpApp, upsert } from '../../support/http-app';
import { startApp, TEST_SECRET, type RunningApp } from '../../support/sync-app';
import { until } from '../../support/until';

interface Stored {
  _id: string | number | mongoose.Types.ObjectId | mongoose.mongo.UUID;
}

const notes = { name: 'notes', freeForm: true, ids: 'scoped' } as const;
const base: SyncOptions & SyncModuleExtras = {
  jwt: { secret: TEST_SECRET },
  trimIntervalMs: 0,
  metricsEnabled: false,
  stream: false,
  collections: [notes],
};
const identity = { scopeId: 's', actorId: 'a' };
const refused = (message: string | RegExp) => ({
  code: 'configuration',
  message: expect.stringMatching(message) as string,
});

let database: TestDatabase;
let db: mongoose.mongo.Db;
let client: mongoose.mongo.MongoClient;
const open: RunningApp[] = [];
beforeEach(async () => {
  database = testDatabase(__filename);
  client = await mongoose.mongo.MongoClient.connect(database.uri);
  db = client.db();
});
afterEach(async () => {
  for (const running of open.splice(0)) await running.close();
  await db.dropDatabase();
  await client.close();
});

/** Starts an app and gives what it says. */
async function start(
  metadata: ModuleMetadata,
  prepare: (app: INestApplication) => void = () => undefined,
): Promise<{ running: RunningApp; lines: string[] }> {
  const lines: string[] = [];
  const note = (line: unknown): void => void lines.push(String(line));
  const running = await startApp(metadata, (app) => {
    app.useLogger({ log: note, warn: note, error: note });
    prepare(app);
  });
  open.push(running);
  return { running, lines };
}

const root = (options: ConnectOptions & { connectionName?: string } = {}): DynamicModule =>
  MongooseModule.forRoot(database.uri, options);

/** What the start says, with SyncModule on the test's database. */
async function linesOf(
  options: Partial<typeof base> = {},
  more: DynamicModule[] = [],
  given: ConnectOptions = {},
): Promise<string[]> {
  const imports = [root(given), ...more, SyncModule.forRoot({ ...base, ...options })];
  const { running, lines } = await start({ imports }, (app) => app.useWebSocketAdapter(new WsAdapter(app)));
  await running.close();
  open.pop();
  return lines;
}
const about = (lines: readonly string[], word: string): string[] =>
  lines.filter((line) => line.includes(word));

describe('documents without a scope', () => {
  it('are counted, with what to do; those that have one are none of them', async () => {
    await db
      .collection<{ _id: string }>('notes')
      .insertMany([
        { _id: 'a' },
        { _id: 'b', _sync_scope_id: null },
        { _id: 'c', _sync_scope_id: 7 },
        { _id: 'd', _sync_scope_id: new mongoose.Types.ObjectId() },
        { _id: 'e', _sync_scope_id: 's' },
      ] as { _id: string }[]);
    const [line, ...rest] = about(await linesOf(), 'without a scope');
    expect(line).toContain('Collection notes holds 4 documents');
    expect(line).toContain('nest-offline-sync adopt --collection notes');
    expect(rest).toEqual([]);
  });

  it('are counted up to a bound, by the index alone', async () => {
    await db.collection('notes').insertMany(Array.from({ length: 1200 }, (_, n) => ({ n })));
    expect(about(await linesOf(), 'without a scope')[0]).toContain('1000 or more documents');
  });

  it('reach devices once they are recorded', async () => {
    const free = { name: 'notes', freeForm: true, ids: 'global' } as const;
    await db.collection<{ _id: string }>('notes').insertOne({ _id: 'a' });
    const { running, lines } = await start({
      imports: [root(), SyncModule.forRoot({ ...base, collections: [free] })],
    });
    expect(about(lines, 'without a scope')).toHaveLength(1);
    const sync = running.app.get(SyncService);
    await sync.recordServerChange({ collection: 'notes', docId: 'a', operation: 'upsert', identity });
    expect(await sync.pull(identity)).toMatchObject({ changes: [{ doc_id: 'a' }] });
    expect(about(await linesOf({ collections: [free] }), 'without a scope')).toEqual([]);
  });

  it('are no news in a collection that is as it should be', async () => {
    const { running } = await start({ imports: [root(), SyncModule.forRoot(base)] });
    await running.app.get(SyncService).transaction(identity, (tx) => tx.upsert('notes', 'n', {}));
    const lines = await linesOf({}, [], {
      heartbeatFrequencyMS: 1000,
      connectTimeoutMS: 10_000,
      serverSelectionTimeoutMS: 1000,
    });
    expect(lines.filter((line) => line.includes('notes') && !line.includes('Mapped'))).toEqual([]);
  });
});

describe('what MongoDB deletes or folds by itself', () => {
  it('a TTL index is named', async () => {
    await db.collection('notes').createIndex({ seenAt: 1 }, { expireAfterSeconds: 60, name: 'old' });
    expect(about(await linesOf(), 'TTL index old of notes')).toHaveLength(1);
  });

  it('a TTL index of the schema too', async () => {
    const schema = new Schema({ at: { type: Date, expires: 60 } });
    const model = MongooseModule.forFeature([{ name: 'Visit', schema, collection: 'visits' }]);
    expect(
      about(await linesOf({ collections: ['visits'] }, [model]), 'TTL index at_1 of visits'),
    ).toHaveLength(1);
  });

  it('a clustered collection with an expiry too, and its own index is no fault', async () => {
    await db.createCollection('notes', {
      clusteredIndex: { key: { _id: 1 }, unique: true, name: 'by id' },
      expireAfterSeconds: 60,
    });
    const lines = await linesOf();
    expect(about(lines, 'clustered collection notes has expireAfterSeconds')).toHaveLength(1);
    expect(about(lines, 'unique index')).toEqual([]);
  });

  it.each<[string, mongoose.mongo.CollationOptions]>([
    ['case', { locale: 'en', strength: 2 }],
    ['accents', { locale: 'fr', strength: 1 }],
    ['punctuation', { locale: 'en', alternate: 'shifted' }],
    ['leading zeros', { locale: 'en', numericOrdering: true }],
  ])('a collation of the collection that folds %s', async (_, collation) => {
    await db.createCollection('notes', { collation });
    expect(about(await linesOf(), 'has the collation')[0]).toContain('cannot both be there');
  });

  it('a unique index over ids that folds them, and no other index', async () => {
    const fold = { locale: 'en', strength: 2 };
    await db.collection('notes').createIndexes([
      { key: { _sync_scope_id: 1, _id: 1 }, unique: true, collation: fold, name: 'folding' },
      { key: { title: 1 }, collation: fold, name: 'sorting' },
      { key: { _sync_scope_id: 1, _id: -1 }, unique: true, collation: { locale: 'en' }, name: 'exact' },
    ]);
    const lines = about(await linesOf(), 'has the collation');
    expect(lines).toEqual([expect.stringContaining('unique index folding of notes')]);
  });

  it('a sparse unique index leaves tombstones out, unless it has a field of the engine', async () => {
    await db.collection('notes').createIndex({ sku: 1 }, { unique: true, sparse: true });
    await db.collection('notes').createIndex({ _sync_scope_id: 1, code: 1 }, { unique: true, sparse: true });
    const lines = about(await linesOf(), 'unique index');
    expect(about(lines, 'sku_1')[0]).not.toContain('tombstones');
    expect(about(lines, 'code_1')[0]).toContain('tombstones');
  });
});

describe('a collection that takes no transactions', () => {
  const kinds: [string, (name: string) => Promise<unknown>][] = [
    ['capped', (name) => db.createCollection(name, { capped: true, size: 4096 })],
    ['time-series', (name) => db.createCollection(name, { timeseries: { timeField: 'at' } })],
    ['view', (name) => db.createCollection(name, { viewOn: 'others', pipeline: [] })],
  ];

  it.each(kinds)('is refused as a synced one: %s', async (kind, create) => {
    await create('notes');
    const attempt = start({ imports: [root(), SyncModule.forRoot(base)] });
    await expect(attempt).rejects.toMatchObject(refused(new RegExp(`notes is a ${kind}`)));
  });

  it.each(kinds)('is refused as the log: %s', async (kind, create) => {
    await create('sync_oplog');
    const attempt = start({ imports: [root(), SyncModule.forRoot(base)] });
    await expect(attempt).rejects.toMatchObject(refused(new RegExp(`sync_oplog is a ${kind}`)));
  });

  it('is refused when the schema makes it so', async () => {
    const schema = new Schema({ at: Date }, { capped: { size: 4096 } });
    const model = MongooseModule.forFeature([{ name: 'Event', schema, collection: 'events' }]);
    const sync = SyncModule.forRoot({ ...base, collections: ['events'] });
    await expect(start({ imports: [root(), model, sync] })).rejects.toMatchObject(
      refused(/events is a capped collection/),
    );
  });

  it('is refused with autoIndex: false too', async () => {
    await db.createCollection('notes', { capped: true, size: 4096 });
    const sync = SyncModule.forRoot({ ...base, autoIndex: false });
    await expect(start({ imports: [root(), sync] })).rejects.toMatchObject(refused(/notes is a capped/));
  });
});

describe("a collection of the engine's", () => {
  it.each<[string, string, () => Promise<unknown>]>([
    [
      'folds scopes',
      'sync_heads has a collation',
      () => db.createCollection('sync_heads', { collation: { locale: 'en', strength: 2 } }),
    ],
    [
      'expires',
      'sync_oplog expires by itself',
      () => db.collection('sync_oplog').createIndex({ at: 1 }, { expireAfterSeconds: 60 }),
    ],
    [
      'expires',
      'sync_receipts expires by itself',
      () => db.collection('sync_receipts').createIndex({ at: 1 }, { expireAfterSeconds: 60 }),
    ],
  ])('is refused when it %s', async (_, message, make) => {
    await make();
    await expect(start({ imports: [root(), SyncModule.forRoot(base)] })).rejects.toMatchObject(
      refused(message),
    );
  });
});

describe('a pool of connections', () => {
  it.each([1, 2])('of %i is too small for a stream', async (maxPoolSize) => {
    expect(about(await linesOf({ stream: true }, [], { maxPoolSize }), 'maxPoolSize: 3')).toHaveLength(1);
  });

  it('of two does without a stream', async () => {
    expect(about(await linesOf({}, [], { maxPoolSize: 2 }), 'maxPoolSize')).toEqual([]);
  });
});

describe('two instances', () => {
  const two = (one: Partial<typeof base>, other: Partial<typeof base>): ModuleMetadata => ({
    imports: [
      root({ connectionName: 'one' }),
      root({ connectionName: 'two' }),
      SyncModule.forRoot({ ...base, isGlobal: false, connectionName: 'one', prefix: 'one', ...one }),
      SyncModule.forRoot({ ...base, isGlobal: false, connectionName: 'two', prefix: 'two', ...other }),
    ],
  });
  const withSockets = (app: INestApplication): void => void app.useWebSocketAdapter(new WsAdapter(app));
  const otherLog = {
    oplogCollection: 'log2',
    headsCollection: 'heads2',
    receiptsCollection: 'receipts2',
    leasesCollection: 'leases2',
  };

  it('share no prefix', async () => {
    await expect(start(two({ prefix: 'sync' }, { prefix: '/sync/' }))).rejects.toMatchObject(
      refused(/both serve the routes of \/sync/),
    );
  });

  it('share no path of the socket', async () => {
    const live = { stream: true, streamPath: 'live' };
    await expect(start(two(live, live), withSockets)).rejects.toMatchObject(
      refused(/their socket at \/live/),
    );
  });

  it('share a prefix when one of them has no routes', async () => {
    await start(two({ prefix: 'sync' }, { prefix: 'sync', http: false }));
  });

  it('share a log, as two processes do', async () => {
    const { running } = await start(two({}, {}));
    const registries = ['one', 'two'].map((name) => `nest-offline-sync:registry:${name}`);
    for (const token of registries)
      expect(running.app.get<CollectionRegistry>(Symbol.for(token), { strict: false }).names()).toEqual([
        'notes',
      ]);
  });

  it('have no collection in two logs', async () => {
    await expect(start(two({}, otherLog))).rejects.toMatchObject(refused(/both use notes of database/));
    await start(two({}, { ...otherLog, collections: [{ ...notes, name: 'others' }] }));
  });

  it('have no part of a log in common', async () => {
    const part = { ...otherLog, headsCollection: 'sync_heads', collections: [{ ...notes, name: 'others' }] };
    await expect(start(two({}, part))).rejects.toMatchObject(refused(/both use sync_heads of database/));
    const swallowed = { ...otherLog, collections: [{ ...notes, name: 'sync_oplog' }] };
    await expect(start(two({}, swallowed))).rejects.toMatchObject(refused(/both use sync_oplog of database/));
  });

  it('have two connections', async () => {
    const sync = (more: object): DynamicModule => SyncModule.forRoot({ ...base, ...more });
    const again = sync({ ...otherLog, prefix: 'again', collections: [] });
    await expect(start({ imports: [root(), sync({}), again] })).rejects.toMatchObject(
      refused(/imported twice for the same connection/),
    );
  });
});

describe('a module that is loaded lazily', () => {
  @Module({ imports: [SyncModule.forFeature([{ ...notes, name: 'late' }])] })
  class LateModule {}

  it('is refused to the one who loads it, since its collections come too late', async () => {
    const { running } = await start({ imports: [root(), SyncModule.forRoot(base)] });
    const load = running.app.get(LazyModuleLoader).load(() => LateModule);
    await expect(load).rejects.toMatchObject(refused(/collection late.*comes too late.*LazyModuleLoader/));
  });

  it('brings its collections while the app starts', async () => {
    @Injectable()
    class Early implements OnModuleInit {
      constructor(private readonly loader: LazyModuleLoader) {}
      async onModuleInit(): Promise<void> {
        await this.loader.load(() => LateModule);
      }
    }
    const { running } = await start({
      imports: [root(), SyncModule.forRoot(base)],
      providers: [
        { provide: Early, inject: [LazyModuleLoader], useFactory: (l: LazyModuleLoader) => new Early(l) },
      ],
    });
    expect(running.app.get(CollectionRegistry, { strict: false }).names()).toEqual(['notes', 'late']);
  });

  it('is refused with its own SyncModule.forRoot(): nothing in it would start', async () => {
    @Module({ imports: [SyncModule.forRoot(base)] })
    class WholeModule {}
    const { running } = await start({ imports: [root()] });
    const load = running.app.get(LazyModuleLoader).load(() => WholeModule);
    await expect(load).rejects.toMatchObject(refused(/forRoot\(\) comes too late/));
  });
});

describe('a client bound to the stable API', () => {
  const serverApi = { version: '1', strict: true, deprecationErrors: true } as const;

  it('does everything, and learns what it costs', async () => {
    const app = await startHttpApp(database.uri, {
      stream: true,
      client: { serverApi },
      options: { collections: [notes, { name: 'free', freeForm: true, ids: 'global' }] },
    });
    try {
      expect(about(app.logs, "serverApi: { version: '1' }")).toHaveLength(1);
      const device = app.as('s');
      const [first] = await device.push([upsert('free', 'a', { x: 1 })]);
      expect(first).toMatchObject({ status: 'accepted' });
      expect((await device.pull()).changes).toHaveLength(1);
      // What an app's own code may have stored: ids of all types.
      const ids = [2, 'b', 1, new mongoose.Types.ObjectId(), new mongoose.mongo.UUID()];
      const fields = { _sync_scope_id: 's', _sync_version: first?.new_version, _sync_deleted: false };
      await db.collection<Stored>('free').insertMany(ids.map((_id) => ({ _id, x: 1, ...fields })));
      // Over all types of ids, in pages, as without the stable API.
      const found: unknown[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page = await device.send(`/sync/full?limit=2&collections=free${cursor && `&cursor=${cursor}`}`);
        expect(page.status).toBe(200);
        for (const { doc_id } of documentLines(page.text)) found.push(doc_id);
        cursor = page.headers.get('x-sync-cursor');
      }
      expect(found).toHaveLength(6);
      expect(new Set(found.map(String)).size).toBe(6);
      expect(documentLines((await device.send('/sync/full?limit=0')).text)).toHaveLength(6);
      await app.sync.transaction(identity, (tx) => tx.upsert('notes', 'n', { y: 1 }));
      const stop = new AbortController();
      for await (const message of app.sync.stream(identity, {}, stop.signal)) {
        expect(message).toMatchObject({ seq: 1 });
        break;
      }
      stop.abort();
      expect(app.logs.filter((line) => /MongoServerError|Unexpected/.test(line))).toEqual([]);
    } finally {
      await app.close();
    }
  });

  it('answers hundreds of refused changes, whatever refuses them', async () => {
    await db.createCollection('ruled', { validator: { n: { $type: 'number' } } });
    await db.collection('placed').createIndex({ at: '2dsphere' });
    await db.collection('taken').createIndex({ _sync_scope_id: 1, n: 1 }, { unique: true });
    const bad = {
      ruled: { n: 'x' },
      placed: { at: { type: 'Point', coordinates: [200, 2] } },
      taken: { n: 1 },
    };
    const names = Object.keys(bad) as (keyof typeof bad)[];
    const collections = names.map((name) => ({ name, freeForm: true, ids: 'scoped' as const }));
    const app = await startHttpApp(database.uri, { client: { serverApi }, options: { collections } });
    try {
      for (const name of names) {
        const changes = Array.from({ length: 100 }, (_, i) =>
          upsert(name, `d${String(i)}`, i === 99 ? { n: 2 } : bad[name], {
            mutation_id: `${name}${String(i)}`,
          }),
        );
        const results = await app.as('many').push(changes, { atomic: 'mutation' });
        const taken = results.filter(({ status }) => status === 'accepted').length;
        expect([name, taken]).toEqual([name, name === 'taken' ? 2 : 1]);
      }
    } finally {
      await app.close();
    }
  });

  it('is healthy, trims, and leaves the sessions of dead processes to MongoDB', async () => {
    const sync = SyncModule.forRoot(base);
    const { running, lines } = await start({ imports: [root({ serverApi }), sync] });
    const { app } = running;
    expect(await app.get(SyncHealthIndicator).check()).toMatchObject({ status: 'up' });
    const oplog = app.get(OplogRepository, { strict: false });
    expect(await trimOnce({ oplog }, resolveSettings({}))).toMatchObject({ raised: 0 });
    await app.get(EngineSessions, { strict: false }).lend(() => Promise.resolve());
    const dead = { _id: 'process:dead', sessions: [new mongoose.mongo.UUID()], turn: 1, seenAt: new Date(0) };
    await db.collection<typeof dead>('sync_leases').insertOne(dead);
    await until(
      async () => (await db.collection<typeof dead>('sync_leases').countDocuments({ _id: dead._id })) === 0,
    );
    await until(() => about(lines, 'end by themselves').length === 1);
  });
});

describe('the path of the stream', () => {
  /** Where the start says that it is, and whether it is there. */
  async function pathWith(
    options: Partial<typeof base>,
    prepare: (app: INestApplication) => void,
  ): Promise<{ said: string | undefined; opens: boolean }> {
    const { running, lines } = await start(
      { imports: [root(), SyncModule.forRoot({ ...base, ...options, stream: true })] },
      (app) => prepare(app.useWebSocketAdapter(new WsAdapter(app))),
    );
    const said = /WebSocket at (\S+)/.exec(about(lines, 'WebSocket at').join())?.[1];
    const socket = new WebSocket(`${running.url.replace('http', 'ws')}${said ?? '/'}`);
    const opens = await new Promise<boolean>((resolve) => {
      socket.on('open', () => resolve(true)).on('error', () => resolve(false));
    });
    socket.terminate();
    return { said, opens };
  }

  it.each<[string, string, Partial<typeof base>, (app: INestApplication) => void]>([
    ['follows the prefix of the module', '/a/b/stream', { prefix: 'a/b' }, () => undefined],
    ['follows the global prefix', '/api/sync/stream', {}, (app) => void app.setGlobalPrefix('api')],
    [
      'stays where streamPath puts it',
      '/sync/stream',
      { streamPath: '/sync/stream' },
      (app) => void app.setGlobalPrefix('api'),
    ],
    [
      'stays where the app leaves the routes',
      '/sync/stream',
      {},
      (app) => void app.setGlobalPrefix('api', { exclude: ['sync/*path'] }),
    ],
    [
      'has no version',
      '/api/sync/stream',
      {},
      (app) =>
        void app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
    ],
  ])('%s: %s', async (_, path, options, prepare) => {
    expect(await pathWith(options, prepare)).toEqual({ said: path, opens: true });
  });
});

/** The lines of a full resync that are documents; the last line is its end. */
function documentLines(text: string): { doc_id: unknown }[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { doc_id: unknown; end?: true })
    .filter(({ end }) => !end);
}
