import { Controller, Get, Inject, Injectable, UseGuards } from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants';
import { SyncGuard, SyncUser, type SyncIdentity } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';
import { startWhoApp, TEST_SECRET, type RunningApp } from '../../support/sync-app';

const { uri } = testDatabase(__filename);

@Injectable()
@UseGuards(SyncGuard)
class TasksResolver {
  tasks(@SyncUser() identity: SyncIdentity): string {
    return `${identity.scopeId}/${identity.actorId}`;
  }
}

@Injectable()
class Creator {
  constructor(@Inject(ExternalContextCreator) readonly contexts: ExternalContextCreator) {}
}

@Controller('plain')
class PlainController {
  @Get()
  @UseGuards(SyncGuard)
  who(@SyncUser() { scopeId }: SyncIdentity): { scopeId: string } {
    return { scopeId };
  }
}

describe('SyncGuard and SyncUser outside of HTTP routes', () => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startWhoApp(
      uri,
      { jwt: { secret: TEST_SECRET }, scopeIdField: 'business_id' },
      { providers: [TasksResolver, Creator], controllers: [PlainController] },
    );
  });
  afterAll(() => app.close());

  const authorization = `Bearer ${testToken({
    payload: { user_id: 'ann', business_id: 'shop', exp: inSeconds(60) },
    key: TEST_SECRET,
  })}`;
  const request = (headers: object): object => ({ headers });

  /** As @nestjs/graphql and the others make their handlers. */
  function handler(type: string): (...args: unknown[]) => Promise<unknown> {
    const resolver = app.app.get<TasksResolver>(TasksResolver, { strict: false });
    return app.app
      .get(Creator, { strict: false })
      .contexts.create(
        resolver,
        (...args) => resolver.tasks(...(args as [SyncIdentity])),
        'tasks',
        ROUTE_ARGS_METADATA,
        { exchangeKeyForValue: () => undefined },
        undefined,
        undefined,
        { guards: true, interceptors: true, filters: false },
        type as 'http',
      ) as never;
  }

  it.each([['req'], ['request']])(
    'find the request of a GraphQL operation as %s of its context',
    async (name) => {
      const resolve = handler('graphql');
      expect(await resolve({}, {}, { [name]: request({ authorization }) }, {})).toBe('shop/ann');
      await expect(
        resolve({}, {}, { [name]: request({ authorization: 'Bearer x' }) }, {}),
      ).rejects.toMatchObject({
        code: 'unauthenticated',
      });
      // Two fields of one operation stand on one request.
      const shared = { [name]: request({ authorization }) };
      expect(await Promise.all([resolve({}, {}, shared, {}), resolve({}, {}, shared, {})])).toEqual([
        'shop/ann',
        'shop/ann',
      ]);
    },
  );

  it.each([[undefined], [null], [{}], [{ req: undefined }], [{ req: 'text' }]])(
    'say what a GraphQL context %j lacks',
    async (context) => {
      await expect(handler('graphql')({}, {}, context, {})).rejects.toMatchObject({
        code: 'configuration',
        message: expect.stringContaining('GraphQLModule.forRoot({ context: ({ req, res })') as string,
      });
    },
  );

  it.each([['rpc'], ['ws'], ['telegram']])('say that a handler of type %s has no request', async (type) => {
    await expect(handler(type)({ headers: { authorization } }, {}, {})).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining(`a handler of type "${type}" has none`) as string,
    });
  });

  it('still work on routes', async () => {
    const answer = await fetch(`${app.url}/plain`, { headers: { authorization } });
    expect(await answer.json()).toEqual({ scopeId: 'shop' });
  });
});
