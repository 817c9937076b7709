import { HttpException, type CanActivate, type INestApplication } from '@nestjs/common';
import type { CorsOptions } from '@nestjs/common/interfaces/external/cors-options.interface';
import { APP_GUARD } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SyncModule } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';

const SECRET = 'a secret of these tests that is long enough';
const OURS = 'X-Sync-LastSeq, X-Sync-Seq, X-Sync-Count, X-Sync-Cursor, X-Sync-Identity, Retry-After';
const ORIGIN = 'https://shop.example';
const { uri } = testDatabase(__filename);

/** A global guard of the app that refuses requests which ask for it. */
const busy: CanActivate = {
  canActivate(context) {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    if (headers['x-busy'] !== undefined) throw new HttpException('Busy', Number(headers['x-busy']));
    return true;
  },
};

describe.each([
  ['Express', false],
  ['Fastify', true],
])('what a page of another origin may read, on %s', (_name, fastify) => {
  let app: INestApplication;
  async function start(cors?: CorsOptions | true): Promise<string> {
    const testing = await Test.createTestingModule({
      imports: [
        MongooseModule.forRoot(uri),
        SyncModule.forRoot({
          jwt: { secret: SECRET },
          stream: false,
          metricsEnabled: false,
          trimIntervalMs: 0,
          authorizer: (_identity, _collection, action) => action !== 'delete',
          collections: [
            { name: 'free', freeForm: true, ids: 'scoped' },
            { name: 'closed', freeForm: true, allowFullResync: false },
          ],
        }),
      ],
      providers: [{ provide: APP_GUARD, useValue: busy }],
    }).compile();
    app = fastify ? testing.createNestApplication(new FastifyAdapter()) : testing.createNestApplication();
    if (cors === true) app.enableCors();
    else if (cors) app.enableCors(cors);
    await app.listen(0, '127.0.0.1');
    return app.getUrl();
  }
  afterEach(() => app.close());

  const authorization = `Bearer ${testToken({ payload: { user_id: 'ann', exp: inSeconds(60) }, key: SECRET })}`;
  async function exposed(
    url: string,
    path: string,
    init: RequestInit = {},
  ): Promise<[number, string | null, string | null]> {
    const headers = { authorization, origin: ORIGIN, ...init.headers };
    const answer = await fetch(`${url}${path}`, { ...init, headers });
    await answer.text();
    const { headers: got, status } = answer;
    return [status, got.get('access-control-expose-headers'), got.get('access-control-allow-origin')];
  }
  const push = (change: object): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: 'c', changes: [change] }),
  });

  it('are our headers on every answer, next to what the CORS of the app exposes', async () => {
    const url = await start({ origin: ORIGIN, exposedHeaders: ['X-Total', 'retry-after'] });
    const all = `X-Total, retry-after, ${OURS.replace(', Retry-After', '')}`;
    const upsert = { collection: 'free', operation: 'upsert', doc_id: '1', data: {} };
    for (const [path, init, status] of [
      ['/sync/full', {}, 200],
      ['/sync/full?limit=0', { headers: { 'accept-encoding': 'gzip' } }, 200],
      ['/sync/pull', {}, 200],
      ['/sync/push', push(upsert), 200],
      ['/sync/pull?since=x', {}, 400],
      ['/sync/full?cursor=x', {}, 400],
      ['/sync/full?collections=closed', {}, 403],
      ['/sync/pull', { headers: { authorization: 'Bearer x' } }, 401],
      ['/sync/push', { ...push(upsert), headers: { authorization: '' } }, 401],
      ['/sync/full', { headers: { 'x-busy': '503' } }, 503],
      ['/sync/pull', { headers: { 'x-busy': '429' } }, 429],
      ['/sync/pull', { headers: { 'x-busy': '403' } }, 403],
    ] as [string, RequestInit, number][])
      expect([path, ...(await exposed(url, path, init))]).toEqual([path, status, all, ORIGIN]);
  });

  it('are only ours if the app has no list, and without any CORS of the app', async () => {
    const url = await start(true);
    expect(await exposed(url, '/sync/full')).toEqual([200, OURS, '*']);
    await app.close();
    const bare = await start();
    expect(await exposed(bare, '/sync/full')).toEqual([200, OURS, null]);
    expect(await exposed(bare, '/sync/pull?limit=x')).toEqual([400, OURS, null]);
  });

  it('are all of them for a star, and ours too where a star means nothing', async () => {
    const url = await start({ origin: ORIGIN, exposedHeaders: '*' });
    expect((await exposed(url, '/sync/full'))[1]).toBe('*');
    await app.close();
    const strict = await start({ origin: ORIGIN, credentials: true, exposedHeaders: '*' });
    expect((await exposed(strict, '/sync/full'))[1]).toBe(`*, ${OURS}`);
    expect((await exposed(strict, '/sync/pull?limit=x'))[1]).toBe(`*, ${OURS}`);
  });
});
