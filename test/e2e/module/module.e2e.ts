import {
  Body,
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Post,
  UseGuards,
  ValidationPipe,
  VersioningType,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { IsString } from 'class-validator';
import { MongoMemoryServer } from 'mongodb-memory-server-core';
import mongoose, { Schema } from 'mongoose';
import { map, type Observable } from 'rxjs';
import { WebSocket } from 'ws';
import { findMongod } from '../../../libs/embedded-mongo/src';
import { CollectionRegistry } from '../../../libs/sync/src/collections/collection-registry';
import { HlcService } from '../../../libs/sync/src/clock/hlc-service';
import { WallClock } from '../../../libs/sync/src/clock/wall-clock';
import { SyncGuard } from '../../../libs/sync/src/identity/sync.guard';
import { getRegistryToken, getSyncToken } from '../../../libs/sync/src/options/tokens';
import type { SyncOptionsFactory } from '../../../libs/sync/src/options/module-definition';
import { InjectSync, SyncModule } from '../../../libs/sync/src/sync.module';
import type { SyncModuleExtras, SyncOptions } from '../../../libs/sync/src/options/sync.options';
import { SyncService } from '../../../libs/sync/src/sync.service';
import { FixedWallClock } from '../../../libs/sync/src/testing';
import { testDatabase, type TestDatabase } from '../../support/database';
import { testToken } from '../../support/jwt';
import { ask, startApp, TEST_SECRET, type RunningApp } from '../../support/sync-app';

const authorization = `Bearer ${testToken({ payload: { user_id: 'u1' }, key: TEST_SECRET })}`;
const base: SyncOptions = { jwt: { secret: TEST_SECRET }, trimIntervalMs: 0, metricsEnabled: false };
const notes = { name: 'notes', freeForm: true, ids: 'scoped' } as const;
const TaskSchema = new Schema({ title: String });
const noStream: SyncModuleExtras = { stream: false };

const open: RunningApp[] = [];
async function start(...args: Parameters<typeof startApp>): Promise<RunningApp> {
  const running = await startApp(...args);
  open.push(running);
  return running;
}
afterEach(async () => {
  for (const running of open.splice(0)) await running.close();
});

let database: TestDatabase;
beforeEach(() => {
  database = testDatabase(__filename);
});
afterEach(() => database.drop());

const root = (): DynamicModule => MongooseModule.forRoot(database.uri);
const pull = (url: string, path = '/sync/pull'): ReturnType<typeof ask> => ask(url, path, { authorization });

async function withDb<T>(use: (db: mongoose.mongo.Db) => Promise<T>): Promise<T> {
  const client = await mongoose.mongo.MongoClient.connect(database.uri);
  try {
    return await use(client.db());
  } finally {
    await client.close();
  }
}

describe('forRoot', () => {
  it('serves the routes under /sync, and its services everywhere', async () => {
    @Injectable()
    class Domain {
      constructor(
        @Inject(SyncService) readonly sync: SyncService,
        @Inject(HlcService) readonly hlc: HlcService,
        @Inject(CollectionRegistry) readonly registry: CollectionRegistry,
      ) {}
    }
    @Module({ providers: [Domain] })
    class DomainModule {}
    const { app, url } = await start({
      imports: [root(), SyncModule.forRoot({ ...base, ...noStream, collections: [notes] }), DomainModule],
    });
    const domain = app.get(Domain, { strict: false });
    expect(domain.sync).toBeInstanceOf(SyncService);
    expect(domain.hlc.now() < domain.hlc.now()).toBe(true);
    expect(domain.registry.names()).toEqual(['notes']);
    const pushed = await fetch(`${url}/sync/push`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({
        client_id: 'c1',
        changes: [{ collection: 'notes', operation: 'upsert', doc_id: 'n1', data: { text: 'hello' } }],
      }),
    });
    expect(await pushed.json()).toMatchObject({ results: [{ doc_id: 'n1', status: 'accepted' }] });
    expect((await pull(url)).body).toMatchObject({
      changes: [{ collection: 'notes', doc_id: 'n1', operation: 'upsert', data: { text: 'hello' } }],
    });
    expect((await ask(url, '/sync/pull')).body).toMatchObject({ statusCode: 401, code: 'unauthenticated' });
  });

  it('puts the routes under another prefix, also a deep one', async () => {
    const { url } = await start({
      imports: [root(), SyncModule.forRoot({ ...base, ...noStream, prefix: '/api/offline/' })],
    });
    expect((await pull(url, '/api/offline/pull')).status).toBe(200);
    expect((await pull(url)).status).toBe(404);
  });

  it('has no routes with http: false, and still its services', async () => {
    const { app, url } = await start({
      imports: [root(), SyncModule.forRoot({ ...base, ...noStream, http: false })],
    });
    expect((await pull(url)).status).toBe(404);
    expect(app.get(SyncService, { strict: false })).toBeInstanceOf(SyncService);
  });

  it('waits for a lazy connection', async () => {
    const lazy = MongooseModule.forRoot(database.uri, { lazyConnection: true });
    const { url } = await start({ imports: [lazy, SyncModule.forRoot({ ...base, ...noStream })] });
    expect((await pull(url)).status).toBe(200);
  });

  it('is seen only where it is imported with isGlobal: false', async () => {
    @Injectable()
    class Domain {
      constructor(@Inject(SyncService) readonly sync: SyncService) {}
    }
    const sync = SyncModule.forRoot({ ...base, ...noStream, isGlobal: false });
    @Module({ providers: [Domain] })
    class Without {}
    @Module({ imports: [sync], providers: [Domain] })
    class With {}
    await expect(start({ imports: [root(), sync, Without] })).rejects.toThrow(
      /resolve dependencies of the Domain/,
    );
    await start({ imports: [root(), sync, With] });
  });

  it('lets the app guard its own routes with SyncGuard', async () => {
    @Controller('orders')
    @UseGuards(SyncGuard)
    class OrdersController {
      @Get()
      list(): object {
        return { orders: [] };
      }
    }
    @Module({ controllers: [OrdersController] })
    class OrdersModule {}
    const { url } = await start({
      imports: [root(), SyncModule.forRoot({ ...base, ...noStream }), OrdersModule],
    });
    expect((await ask(url, '/orders', { authorization })).body).toEqual({ orders: [] });
  });
});

describe('forRootAsync', () => {
  @Injectable()
  class Config {
    readonly secret = TEST_SECRET;
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}
  @Injectable()
  class OptionsFactory implements SyncOptionsFactory {
    constructor(@Inject(Config) private readonly config: Config) {}
    createSyncOptions(): Promise<SyncOptions> {
      return Promise.resolve({ ...base, jwt: { secret: this.config.secret } });
    }
  }
  @Module({ imports: [ConfigModule], providers: [OptionsFactory], exports: [OptionsFactory] })
  class OptionsModule {}

  it.each<[string, () => DynamicModule]>([
    [
      'useFactory',
      () =>
        SyncModule.forRootAsync({
          ...noStream,
          prefix: 'async',
          imports: [ConfigModule],
          inject: [Config],
          useFactory: (config: Config) => ({ ...base, jwt: { secret: config.secret } }),
        }),
    ],
    [
      'useClass',
      () =>
        SyncModule.forRootAsync({
          ...noStream,
          prefix: 'async',
          imports: [ConfigModule],
          useClass: OptionsFactory,
        }),
    ],
    [
      'useExisting',
      () =>
        SyncModule.forRootAsync({
          ...noStream,
          prefix: 'async',
          imports: [OptionsModule],
          useExisting: OptionsFactory,
        }),
    ],
  ])('accepts %s, with the prefix next to it', async (_how, sync) => {
    const { url } = await start({ imports: [root(), sync()] });
    expect((await pull(url, '/async/pull')).status).toBe(200);
  });

  it.each<[string, unknown, string]>([
    ['a prefix', { ...base, prefix: 'late' }, 'Option prefix comes too late from the options factory'],
    ['nothing', undefined, 'returned no object'],
    [
      'an unknown option',
      { ...base, batch_atomic: true },
      'no option batch_atomic. Did you mean batchAtomic?',
    ],
    ['a bad number', { ...base, maxPullLimit: 0 }, 'option maxPullLimit must be a number from 1'],
    ['a bad node id', { ...base, hlcNodeId: 'a b' }, 'option hlcNodeId must be 1 to 64'],
    ['no check of credentials', {}, 'no authentication is configured'],
  ])('refuses a factory that returns %s', async (_what, given, message) => {
    const sync = SyncModule.forRootAsync({ ...noStream, useFactory: () => given as SyncOptions });
    await expect(start({ imports: [root(), sync] })).rejects.toThrow(message);
  });
});

describe('what keeps an app from starting', () => {
  it.each(['a b', '../x', 'x?y', ''])('the prefix %j', (prefix) => {
    expect(() => SyncModule.forRoot({ ...base, prefix })).toThrow('Option prefix must be a path');
  });

  it('no connection, or none of that name, with the remedy', async () => {
    await expect(start({ imports: [SyncModule.forRoot({ ...base, ...noStream })] })).rejects.toThrow(
      'there is no Mongoose connection in this app. Import MongooseModule.forRoot(uri)',
    );
    const named = SyncModule.forRoot({ ...base, ...noStream, connectionName: 'shop' });
    await expect(start({ imports: [root(), named] })).rejects.toThrow(
      "no Mongoose connection named shop in this app. Import MongooseModule.forRoot(uri, { connectionName: 'shop' })",
    );
  });

  it('two instances on one connection', async () => {
    const twice = [1, 2].map(() => SyncModule.forRoot({ ...base, ...noStream }));
    await expect(start({ imports: [root(), ...twice] })).rejects.toThrow(
      'imported twice for the same connection',
    );
  });

  it('a feature without its root', async () => {
    await expect(start({ imports: [root(), SyncModule.forFeature(['tasks'])] })).rejects.toThrow(
      'forFeature() found no SyncModule.forRoot() in this app',
    );
  });

  it('a collection that the connection does not know', async () => {
    const sync = SyncModule.forRoot({ ...base, ...noStream, collections: ['taks'] });
    await expect(start({ imports: [root(), sync] })).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('taks') as string,
    });
  });
});

describe('a server without transactions', () => {
  it('keeps the app from starting, with the remedy', async () => {
    const { path: systemBinary, version } = await findMongod();
    const standalone = await MongoMemoryServer.create({
      binary: { systemBinary, version },
      instance: { storageEngine: 'wiredTiger' },
    });
    try {
      const imports = [
        MongooseModule.forRoot(standalone.getUri('app')),
        SyncModule.forRoot({ ...base, ...noStream }),
      ];
      await expect(start({ imports })).rejects.toThrow(
        /not part of a replica set.*mongod --replSet rs0.*rs.initiate/,
      );
    } finally {
      await standalone.stop();
    }
  });
});

describe('forFeature', () => {
  it('registers collections next to their schemas, in any order of the modules', async () => {
    @Module({
      imports: [
        MongooseModule.forFeature([{ name: 'Task', schema: TaskSchema, collection: 'tasks' }]),
        SyncModule.forFeature(['tasks']),
      ],
    })
    class TasksModule {}
    @Module({ imports: [SyncModule.forFeature([notes])] })
    class NotesModule {}
    const { app, url } = await start({
      imports: [TasksModule, root(), SyncModule.forRoot({ ...base, ...noStream }), NotesModule],
    });
    const registry = app.get(CollectionRegistry, { strict: false });
    expect([...registry.names()].sort()).toEqual(['notes', 'tasks']);
    expect((await pull(url, '/sync/pull?collections=tasks,notes')).status).toBe(200);
    expect((await pull(url, '/sync/pull?collections=other')).body).toMatchObject({
      code: 'unknown_collection',
    });
  });

  it('refuses a collection that is registered twice', async () => {
    const sync = SyncModule.forRoot({ ...base, ...noStream, collections: [notes] });
    await expect(start({ imports: [root(), sync, SyncModule.forFeature([notes])] })).rejects.toThrow(
      'registered twice',
    );
  });
});

describe('two instances on two connections', () => {
  it('serve their own collections under their own prefixes', async () => {
    const other = testDatabase(__filename);
    const shop = SyncModule.forRoot({
      ...base,
      ...noStream,
      isGlobal: false,
      prefix: 'shop',
      connectionName: 'shop',
    });
    const crm = SyncModule.forRoot({
      ...base,
      ...noStream,
      isGlobal: false,
      prefix: 'crm',
      connectionName: 'crm',
    });
    @Injectable()
    class Both {
      constructor(
        @InjectSync('shop') readonly shop: SyncService,
        @InjectSync('crm') readonly crm: SyncService,
      ) {}
    }
    try {
      const { app, url } = await start({
        imports: [
          MongooseModule.forRoot(database.uri, { connectionName: 'shop' }),
          MongooseModule.forRoot(other.uri, { connectionName: 'crm' }),
          shop,
          crm,
          SyncModule.forFeature([{ ...notes, name: 'items' }], 'shop'),
          SyncModule.forFeature([{ ...notes, name: 'leads' }], 'crm'),
        ],
        providers: [Both],
      });
      const registry = (name: string): CollectionRegistry =>
        app.get(getRegistryToken(name), { strict: false });
      expect([registry('shop').names(), registry('crm').names()]).toEqual([['items'], ['leads']]);
      expect((await pull(url, '/shop/pull?collections=items')).status).toBe(200);
      expect((await pull(url, '/crm/pull?collections=items')).body).toMatchObject({
        code: 'unknown_collection',
      });
      const both = app.get(Both);
      expect(both.shop).not.toBe(both.crm);
      expect(both.shop).toBe(app.get(getSyncToken('shop'), { strict: false }));
    } finally {
      await other.drop();
    }
  });
});

describe("with the app's globals", () => {
  @Injectable()
  class Envelope implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(map((data: unknown) => ({ data })));
    }
  }
  @Catch()
  class Teapot implements ExceptionFilter {
    catch(_error: unknown, host: ArgumentsHost): void {
      const response = host
        .switchToHttp()
        .getResponse<{ status(code: number): { json(body: object): void } }>();
      response.status(418).json({ teapot: true });
    }
  }
  class Order {
    @IsString()
    item!: string;
  }
  @Controller({ path: 'orders', version: '2' })
  class OrdersController {
    @Post()
    create(@Body() order: Order): Order {
      return order;
    }
  }
  class Counting implements CanActivate {
    seen = 0;
    canActivate(): boolean {
      this.seen += 1;
      return true;
    }
  }

  it('works as it does alone, and they go on for the routes of the host', async () => {
    const guard = new Counting();
    const { url } = await start(
      {
        imports: [root(), SyncModule.forRoot({ ...base, ...noStream, collections: [notes] })],
        controllers: [OrdersController],
      },
      (app) => {
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI });
        app.useGlobalPipes(
          new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }),
        );
        app.useGlobalInterceptors(new Envelope());
        app.useGlobalFilters(new Teapot());
        app.useGlobalGuards(guard);
      },
    );
    const { status, body } = await pull(url, '/api/sync/pull?collections=notes&limit=5');
    expect([status, body['changes']]).toEqual([200, []]);
    expect((await ask(url, '/api/sync/pull')).body).toMatchObject({
      statusCode: 401,
      code: 'unauthenticated',
    });
    expect((await pull(url, '/api/sync/pull?collections=other')).body).toMatchObject({
      code: 'unknown_collection',
    });
    expect(guard.seen).toBe(3);
    const order = await fetch(`${url}/api/v2/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"item":"tea"}',
    });
    expect([order.status, await order.json()]).toEqual([201, { data: { item: 'tea' } }]);
    expect((await ask(url, '/api/v2/nothing')).status).toBe(418);
  });
});

describe('the socket', () => {
  const withSockets = (app: INestApplication): void => {
    app.setGlobalPrefix('api').useWebSocketAdapter(new WsAdapter(app));
  };
  /** What a subscribed client is told first, or the status that refuses the upgrade. */
  const firstMessage = (url: string, path: string, token: string): Promise<unknown> =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`);
      socket.on('error', () => undefined);
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
      socket.on('close', (code) => resolve(code));
      socket.on('open', () => socket.send(JSON.stringify({ type: 'subscribe', token, ack: true })));
      socket.on('message', (data: Buffer) => {
        resolve(JSON.parse(data.toString()));
        socket.terminate();
      });
    });
  const token = authorization.replace('Bearer ', '');

  it('of each instance has its own path behind the global prefix, and the same check of tokens', async () => {
    const other = testDatabase(__filename);
    const [one, two] = ['one', 'two'].map((name) =>
      SyncModule.forRoot({
        ...base,
        isGlobal: false,
        prefix: name,
        connectionName: name,
        collections: [{ ...notes, name }],
      }),
    ) as [DynamicModule, DynamicModule];
    try {
      const { url } = await start(
        {
          imports: [
            MongooseModule.forRoot(database.uri, { connectionName: 'one' }),
            MongooseModule.forRoot(other.uri, { connectionName: 'two' }),
            one,
            two,
          ],
        },
        withSockets,
      );
      expect(await firstMessage(url, '/api/one/stream', token)).toMatchObject({
        type: 'subscribed',
        collections: ['one'],
      });
      expect(await firstMessage(url, '/api/two/stream', token)).toMatchObject({
        type: 'subscribed',
        collections: ['two'],
      });
      expect(await firstMessage(url, '/api/one/stream', 'forged')).toMatchObject({
        type: 'error',
        code: 'unauthenticated',
      });
    } finally {
      for (const running of open.splice(0)) await running.close();
      await other.drop();
    }
  });

  it('can be moved with streamPath', async () => {
    const sync = SyncModule.forRoot({ ...base, streamPath: 'live', collections: [notes] });
    const { url } = await start({ imports: [root(), sync] }, withSockets);
    expect(await firstMessage(url, '/live', token)).toMatchObject({ type: 'subscribed' });
  });

  it('needs no adapter of the app', async () => {
    const { url } = await start({ imports: [root(), SyncModule.forRoot({ ...base, collections: [notes] })] });
    expect(await firstMessage(url, '/sync/stream', token)).toMatchObject({ type: 'subscribed' });
  });
});

describe('the database', () => {
  const indexesOf = (name: string): Promise<string[]> =>
    withDb(async (db) => {
      const found = await db.collection(name).listIndexes().toArray();
      return found
        .map((index) => `${JSON.stringify(index['key'])}${index['unique'] ? ' unique' : ''}`)
        .sort();
    });

  it('is ready before the first hook of the app runs: collections and indexes', async () => {
    const seen: string[][] = [];
    @Injectable()
    class Early implements OnApplicationBootstrap {
      async onApplicationBootstrap(): Promise<void> {
        seen.push(await indexesOf('sync_oplog'));
      }
    }
    await start({
      imports: [root(), SyncModule.forRoot({ ...base, ...noStream, collections: [notes] })],
      providers: [Early],
    });
    expect(seen).toEqual([
      [
        '{"_id":1}',
        '{"scope":1,"collection":1,"doc":1,"version":-1}',
        '{"scope":1,"seq":1} unique',
        '{"scope":1,"version":1} unique',
      ],
    ]);
    expect(await indexesOf('notes')).toEqual(['{"_id":1}', '{"_sync_scope_id":1,"_id":1}']);
    expect(await indexesOf('sync_receipts')).toContain('{"at":1}');
    expect(await indexesOf('sync_heads')).toEqual(['{"_id":1}']);
  });

  it('is created by several processes concurrently without errors', async () => {
    const imports = (): DynamicModule[] => [
      root(),
      SyncModule.forRoot({ ...base, ...noStream, collections: [notes] }),
    ];
    await Promise.all([1, 2, 3, 4].map(() => start({ imports: imports() })));
    expect(await indexesOf('sync_oplog')).toHaveLength(4);
  });

  it("keeps the options of the schema's collection", async () => {
    const schema = new Schema({ name: String }, { collation: { locale: 'en', strength: 2 } });
    await start({
      imports: [
        root(),
        MongooseModule.forFeature([{ name: 'Place', schema, collection: 'places' }]),
        SyncModule.forRoot({ ...base, ...noStream, collections: ['places'] }),
      ],
    });
    const [places] = await withDb((db) => db.listCollections({ name: 'places' }).toArray());
    expect(places).toMatchObject({ options: { collation: { locale: 'en', strength: 2 } } });
  });

  it('is left alone with autoIndex: false, and what it lacks keeps the app from starting', async () => {
    const imports = (): DynamicModule[] => [
      root(),
      SyncModule.forRoot({ ...base, ...noStream, collections: [notes], autoIndex: false }),
    ];
    const refused = await start({ imports: imports() }).catch((error: unknown) => error as Error);
    expect(refused).toMatchObject({ code: 'configuration' });
    for (const part of [
      'sync_heads',
      'sync_oplog {"scope":1,"seq":1} unique',
      'notes {"_sync_scope_id":1',
      'nest-offline-sync init',
    ])
      expect((refused as Error).message).toContain(part);
    expect(await withDb((db) => db.listCollections().toArray())).toEqual([]);
    const made = await start({
      imports: [root(), SyncModule.forRoot({ ...base, ...noStream, collections: [notes] })],
    });
    await made.close();
    expect((await pull((await start({ imports: imports() })).url)).status).toBe(200);
  });

  it('with an index in the way keeps the app from starting, with the remedy', async () => {
    await withDb((db) => db.collection('sync_oplog').createIndex({ scope: 1, seq: 1 }));
    await expect(start({ imports: [root(), SyncModule.forRoot({ ...base, ...noStream })] })).rejects.toThrow(
      /sync_oplog \{"scope":1,"seq":1\} unique cannot be made: another index .* stands in its way. Drop that one/,
    );
  });

  it('says once what unique indexes of the app would do to tenants', async () => {
    const schema = new Schema({ sku: { type: String, unique: true } });
    const lines: string[] = [];
    const listen = (line: unknown): void => {
      lines.push(String(line));
    };
    await start(
      {
        imports: [
          root(),
          MongooseModule.forFeature([{ name: 'Item', schema, collection: 'items' }]),
          SyncModule.forRoot({ ...base, ...noStream, collections: ['items'] }),
        ],
      },
      (app) => {
        app.useLogger({ log: listen, warn: listen, error: listen });
      },
    );
    const advice = lines.filter((line) => line.includes('unique index'));
    expect(advice).toHaveLength(1);
    expect(advice[0]).toContain('sku_1 of items does not begin with _sync_scope_id');
    expect(lines.filter((line) => line.includes('heartbeatFrequencyMS'))).toHaveLength(1);
  });
});

describe('the clock of a running app', () => {
  it("has measured the database's clock before anything is served", async () => {
    const { app } = await start({ imports: [root(), SyncModule.forRoot({ ...base, ...noStream })] });
    const wall = app.get(WallClock, { strict: false });
    // Same machine: anything else would be an error of the measure.
    expect(Math.abs(wall.offsetMs ?? Infinity)).toBeLessThan(1_000);
    expect(Math.abs(wall.now() - Date.now())).toBeLessThan(1_000);
  });

  it('generates rising stamps of its own node, accepts those of others, and refuses the future', async () => {
    const { app } = await start({
      imports: [root(), SyncModule.forRoot({ ...base, ...noStream, hlcNodeId: 'eu-1', maxDriftMs: 60_000 })],
    });
    const hlc = app.get(HlcService, { strict: false });
    const first = hlc.now();
    expect(hlc.parse(first).node).toBe('eu-1');
    const ahead = hlc.format({ ms: Date.now() + 30_000, counter: 5, node: 'phone-7' });
    const received = hlc.receive(ahead);
    expect(hlc.compare(received, ahead)).toBeGreaterThan(0);
    expect(hlc.compare(hlc.now(), received)).toBeGreaterThan(0);
    const future = hlc.format({ ms: Date.now() + 120_000, counter: 0, node: 'phone-7' });
    expect(() => hlc.receive(future)).toThrow(expect.objectContaining({ code: 'clock_drift' }) as Error);
    expect(hlc.compare(hlc.now(), future)).toBeLessThan(0);
    expect(() => hlc.receive('yesterday')).toThrow(
      expect.objectContaining({ code: 'invalid_version' }) as Error,
    );
  });

  it('can be set in tests of an app', async () => {
    const clock = new FixedWallClock(Date.UTC(2026, 0, 1));
    const module = await Test.createTestingModule({
      imports: [root(), SyncModule.forRoot({ ...base, ...noStream, hlcNodeId: 'n' })],
    })
      .overrideProvider(WallClock)
      .useValue(clock)
      .compile();
    await module.init();
    try {
      const hlc = module.get(HlcService);
      expect(hlc.now()).toBe('20260101T000000.000Z-0000-n');
      clock.advance(-5_000);
      expect(hlc.now()).toBe('20260101T000000.000Z-0001-n');
      clock.advance(6_000);
      expect(hlc.now()).toBe('20260101T000001.000Z-0000-n');
    } finally {
      await module.close();
    }
  });

  it('has a node id unlike any other process of its host', async () => {
    const imports = (): DynamicModule[] => [root(), SyncModule.forRoot({ ...base, ...noStream })];
    const apps = [await start({ imports: imports() }), await start({ imports: imports() })];
    const ids = apps.map(({ app }) => app.get(HlcService, { strict: false }).nodeId);
    expect(new Set(ids).size).toBe(2);
  });
});
