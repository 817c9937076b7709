import { Module, VersioningType, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  getSyncToken,
  SyncAdminModule,
  SyncModule,
  SyncService,
  type SyncAdminExtras,
  type SyncAdminOptions,
} from 'nest-offline-sync';
import { AdminGuard } from '../../../libs/sync/src/http/admin.guard';
import { testDatabase } from '../../support/database';
import { note, OPERATOR, WordGuard } from '../../support/operator-app';
import { startApp, TEST_SECRET } from '../../support/sync-app';

const { uri } = testDatabase(__filename);
const sync = {
  jwt: { secret: TEST_SECRET },
  stream: false,
  metricsEnabled: false,
  trimIntervalMs: 0,
  collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
} as const;

function imports(options: SyncAdminOptions & SyncAdminExtras = { guards: [WordGuard] }) {
  return [MongooseModule.forRoot(uri), SyncModule.forRoot(sync), SyncAdminModule.forRoot(options)];
}

interface Route {
  readonly method: string;
  readonly path: string;
}

/** All routes of Express below a path, as the router itself knows them. */
function routesBelow(app: INestApplication, path: string): Route[] {
  const { router } = app.getHttpAdapter().getInstance() as {
    router: { stack: { route?: { path: string; methods: Record<string, boolean> } }[] };
  };
  return router.stack.flatMap(({ route }) =>
    route?.path.startsWith(path)
      ? Object.keys(route.methods).map((method) => ({ method: method.toUpperCase(), path: route.path }))
      : [],
  );
}

async function statusOf(url: string, { method, path }: Route, headers: Record<string, string>) {
  const answer = await fetch(`${url}${path.replace(/:\w+/, '0123456789abcdef01234567')}`, {
    method,
    headers,
  });
  const text = await answer.text();
  return { status: answer.status, text };
}

describe('the routes of an operator', () => {
  it.each<[string, string, (app: INestApplication) => void]>([
    ['as they are', '/admin/sync', () => undefined],
    ['behind a global prefix', '/api/admin/sync', (app) => void app.setGlobalPrefix('api')],
    [
      'with versions in paths',
      '/api/admin/sync',
      (app) =>
        void app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
    ],
    [
      'with versions in a header',
      '/admin/sync',
      (app) => void app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
    ],
  ])('let nobody in without the guard, %s', async (_, path, prepare) => {
    const { app, url, close } = await startApp({ imports: imports() }, prepare);
    try {
      const routes = routesBelow(app, path);
      expect(routes.length).toBeGreaterThan(3);
      for (const route of routes) {
        for (const [headers, status, code] of [
          [{}, 401, 'unauthenticated'],
          [{ 'x-word': 'please' }, 403, 'forbidden'],
        ] as const) {
          const answer = await statusOf(url, route, headers);
          expect({ route, ...answer }).toMatchObject({ route, status });
          expect(JSON.parse(answer.text)).toMatchObject({ statusCode: status, code });
        }
      }
      expect((await statusOf(url, { method: 'GET', path: `${path}/scopes` }, OPERATOR)).status).toBe(200);
      // What Express makes of GET by itself is guarded too.
      expect((await fetch(`${url}${path}/scopes`, { method: 'HEAD' })).status).toBe(401);
    } finally {
      await close();
    }
  });

  it('are guarded on Fastify too, and its answers have the same shape', async () => {
    @Module({ imports: imports({ guards: [WordGuard], path: 'ops' }) })
    class FastifyModule {}
    const app = await NestFactory.create(FastifyModule, new FastifyAdapter(), { logger: false });
    try {
      await app.listen(0, '127.0.0.1');
      const url = await app.getUrl();
      for (const path of ['scopes', 'scopes/a', 'status'])
        expect(await statusOf(url, { method: 'GET', path: `/ops/${path}` }, {})).toMatchObject({
          status: 401,
        });
      expect(await statusOf(url, { method: 'POST', path: '/ops/verify' }, {})).toMatchObject({ status: 401 });
      const { status, text } = await statusOf(url, { method: 'GET', path: '/ops/scopes' }, OPERATOR);
      expect([status, JSON.parse(text)]).toEqual([200, { rows: [], next: null }]);
    } finally {
      await app.close();
    }
  });

  it('ask every guard, and a later one may refuse', async () => {
    class NobodyGuard {
      canActivate(): Promise<boolean> {
        return Promise.resolve(false);
      }
    }
    const { url, close } = await startApp({ imports: imports({ guards: [WordGuard, NobodyGuard] }) });
    try {
      const route = { method: 'GET', path: '/admin/sync/status' };
      expect((await statusOf(url, route, OPERATOR)).status).toBe(403);
    } finally {
      await close();
    }
  });

  it.each<[string, unknown]>([
    ['an answer that is no boolean', 'yes'],
    ['a number', 1],
    ['nothing', undefined],
  ])('take %s for a no', async (_, answer) => {
    class OddGuard {
      canActivate(): boolean {
        return answer as boolean;
      }
    }
    const { url, close } = await startApp({ imports: imports({ guards: [OddGuard] }) });
    try {
      expect((await statusOf(url, { method: 'GET', path: '/admin/sync/scopes' }, OPERATOR)).status).toBe(403);
    } finally {
      await close();
    }
  });
});

describe('two instances', () => {
  it('have routes each, which show their own', async () => {
    const [first, second] = [testDatabase(__filename), testDatabase(__filename)];
    const { app, url, close } = await startApp({
      imports: [
        MongooseModule.forRoot(first.uri),
        MongooseModule.forRoot(second.uri, { connectionName: 'b' }),
        SyncModule.forRoot(sync),
        SyncModule.forRoot({ ...sync, connectionName: 'b', prefix: 'b' }),
        SyncAdminModule.forRoot({ guards: [WordGuard] }),
        SyncAdminModule.forRoot({ guards: [WordGuard], path: 'admin/b', connectionName: 'b' }),
      ],
    });
    try {
      for (const [name, scope] of [
        [undefined, 'one'],
        ['b', 'two'],
      ] as const)
        await app
          .get<SyncService>(getSyncToken(name), { strict: false })
          .push({ scopeId: scope, actorId: 'ann' }, { client_id: 'c', changes: [note('n', {})] });
      for (const [path, scope] of [
        ['/admin/sync/scopes', 'one'],
        ['/admin/b/scopes', 'two'],
      ]) {
        const { text } = await statusOf(url, { method: 'GET', path: String(path) }, OPERATOR);
        expect(JSON.parse(text)).toMatchObject({ rows: [{ scope }], next: null });
        expect((await statusOf(url, { method: 'GET', path: String(path) }, {})).status).toBe(401);
      }
    } finally {
      await close();
    }
  });
});

describe('a guard that was skipped', () => {
  it('lets nobody in either', async () => {
    const building = Test.createTestingModule({ imports: imports() });
    building.overrideGuard(AdminGuard).useValue({ canActivate: () => true });
    const app = (await building.compile()).createNestApplication({ logger: false });
    try {
      await app.listen(0, '127.0.0.1');
      const url = await app.getUrl();
      for (const route of routesBelow(app, '/admin/sync'))
        expect(await statusOf(url, route, OPERATOR)).toMatchObject({ status: 403 });
    } finally {
      await app.close();
    }
  });
});

describe('an app does not start', () => {
  const refused = (options: unknown): Promise<unknown> =>
    startApp({ imports: imports(options as SyncAdminOptions) }).then(({ close }) => close());

  it.each<[string, unknown, RegExp]>([
    ['without guards', {}, /names no guard.*guards: \[OperatorGuard\]/],
    ['with an empty list of guards', { guards: [] }, /names no guard/],
    ['with an instance in place of a class', { guards: [new WordGuard()] }, /guards\[0\] must be the class/],
    [
      'with a class that guards nothing',
      { guards: [Date as unknown as Type] },
      /guards\[0\] must be the class/,
    ],
    [
      'with an option that nobody knows',
      { guards: [WordGuard], guard: WordGuard },
      /option guard is unknown/,
    ],
    [
      'with a path that a router reads otherwise',
      { guards: [WordGuard], path: 'a/:b' },
      /option path must be/,
    ],
    ['with a time that is none', { guards: [WordGuard], verifyTimeoutMs: 0 }, /whole number from 1 to/],
    [
      'for an instance that is not there',
      { guards: [WordGuard], connectionName: 'x' },
      /connectionName: 'x'/,
    ],
  ])('%s', async (_, options, message) => {
    await expect(async () => refused(options)).rejects.toThrow(message);
  });

  it('when a factory gives no guards', async () => {
    const async = SyncAdminModule.forRootAsync({ useFactory: () => ({ guards: [] }) });
    const modules = [MongooseModule.forRoot(uri), SyncModule.forRoot(sync), async];
    await expect(startApp({ imports: modules })).rejects.toThrow(/names no guard/);
  });

  it('and starts when it gives one', async () => {
    const async = SyncAdminModule.forRootAsync({ path: 'ops', useFactory: () => ({ guards: [WordGuard] }) });
    const { url, close } = await startApp({
      imports: [MongooseModule.forRoot(uri), SyncModule.forRoot({ ...sync, isGlobal: false }), async],
    });
    try {
      expect((await statusOf(url, { method: 'GET', path: '/ops/status' }, {})).status).toBe(401);
      expect((await statusOf(url, { method: 'GET', path: '/ops/status' }, OPERATOR)).status).toBe(200);
    } finally {
      await close();
    }
  });
});
