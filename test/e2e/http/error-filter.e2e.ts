import {
  Body,
  Catch,
  ConflictException,
  Controller,
  Get,
  HttpException,
  Injectable,
  NotFoundException,
  Param,
  Post,
  Res,
  UseFilters,
  UseGuards,
  ValidationPipe,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import { WsAdapter } from '@nestjs/platform-ws';
import { IsString } from 'class-validator';
import type { Response } from 'express';
import { SyncError, SyncErrorFilter, SyncGuard, SyncModule, type SyncRequest } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { startApp, type RunningApp } from '../../support/sync-app';
import { StreamClient } from '../../support/stream-client';

const { uri } = testDatabase(__filename);
const open: RunningApp[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

/** What the guard of the host does with the next request. */
let guarded: (response: Response) => unknown = () => true;

@Injectable()
class HostGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    context.switchToHttp().getRequest<SyncRequest>().user = { user_id: 'a' };
    return guarded(context.switchToHttp().getResponse<Response>()) as boolean;
  }
}
beforeEach(() => (guarded = () => true));

/** As the package http-errors makes them. */
function createError(status: number, message: string, more: object = {}): Error {
  return Object.assign(new Error(message), { status, statusCode: status, expose: status < 500, ...more });
}

class Order {
  @IsString()
  item!: string;
}

const thrown: Record<string, () => unknown> = {
  conflict: () => new ConflictException('There is not enough of it.'),
  missing: () => new NotFoundException({ reason: 'gone', since: 3 }),
  sync: () => new SyncError('conflict_stale', 'Read it again.', { path: 'ifVersion' }),
  busy: () => new SyncError('busy', 'Too much waits.', { retryAfterSeconds: 7 }),
  unforeseen: () => new Error('s3cr3t'),
  wrong: () => new SyncError('configuration', 's3cr3t of the set-up'),
};

class OrdersBase {
  @Post()
  place(@Body(new ValidationPipe()) { item }: Order): object {
    return { item };
  }
  @Get(':what')
  fail(@Param('what') what: string): void {
    throw thrown[what]?.();
  }
}

@Controller('orders')
@UseFilters(SyncErrorFilter)
class OrdersController extends OrdersBase {
  @Get('late/sync')
  late(@Res() response: Response): void {
    response.write('[');
    throw new SyncError('busy', 'Too late.');
  }
}

/** Without the filter, behind the engine's guard. */
@Controller('plain')
@UseGuards(SyncGuard)
class PlainController extends OrdersBase {}

@Catch()
class AppFilter implements ExceptionFilter {
  catch(error: unknown, context: ArgumentsHost): void {
    const status = error instanceof HttpException ? error.getStatus() : 500;
    context.switchToHttp().getResponse<Response>().status(status).json({ app: true });
  }
}

async function start(prepare: (app: INestApplication) => void = () => undefined): Promise<RunningApp> {
  const app = await startApp(
    {
      imports: [
        MongooseModule.forRoot(uri),
        SyncModule.forRoot({
          guard: HostGuard,
          collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
          trimIntervalMs: 0,
          metricsEnabled: false,
        }),
      ],
      controllers: [OrdersController, PlainController],
      providers: [HostGuard],
    },
    (nest) => {
      nest.useWebSocketAdapter(new WsAdapter(nest));
      prepare(nest);
    },
  );
  open.push(app);
  return app;
}

async function ask(
  { url }: RunningApp,
  path: string,
  body?: object,
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const response = await fetch(`${url}${path}`, {
    ...(body && {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    }),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

describe("SyncErrorFilter on the app's own controller", () => {
  it('leaves the field messages of a ValidationPipe alone', async () => {
    const { status, body } = await ask(await start(), '/orders', { item: 3 });
    expect([status, body]).toEqual([
      400,
      { statusCode: 400, error: 'Bad Request', message: ['item must be a string'] },
    ]);
  });

  it.each<[string, number, object]>([
    ['conflict', 409, { statusCode: 409, error: 'Conflict', message: 'There is not enough of it.' }],
    ['missing', 404, { reason: 'gone', since: 3 }],
    ['unforeseen', 500, { statusCode: 500, message: 'Internal server error' }],
    ['sync', 409, { statusCode: 409, code: 'conflict_stale', message: 'Read it again.', path: 'ifVersion' }],
    ['busy', 503, { statusCode: 503, code: 'busy', message: 'Too much waits.' }],
  ])('%s', async (what, status, body) => {
    const answer = await ask(await start(), `/orders/${what}`);
    expect([answer.status, answer.body]).toEqual([status, body]);
    if (what === 'busy') expect(answer.headers.get('retry-after')).toBe('7');
  });

  it('leaves them to a global filter of the app too, and covers all routes as a global one', async () => {
    const both = await start((app) => app.useGlobalFilters(new AppFilter()));
    expect((await ask(both, '/orders/conflict')).body).toEqual({ app: true });
    expect((await ask(both, '/orders/sync')).body).toMatchObject({ code: 'conflict_stale' });
    guarded = () => {
      throw new HttpException('Locked', 423);
    };
    expect((await ask(both, '/sync/pull')).body).toMatchObject({ code: 'busy' });
    guarded = () => true;
    const global = await start((app) => app.useGlobalFilters(new SyncErrorFilter(app.get(HttpAdapterHost))));
    expect((await ask(global, '/plain/sync')).body).toMatchObject({ code: 'conflict_stale' });
    expect((await ask(global, '/plain/conflict')).body).toMatchObject({ error: 'Conflict' });
    expect((await ask(global, '/nowhere')).body).toMatchObject({ statusCode: 404, error: 'Not Found' });
  });

  it('cuts an answer that has begun: it must not look finished', async () => {
    const { url } = await start();
    await expect(fetch(`${url}/orders/late/sync`).then((response) => response.text())).rejects.toThrow();
  });
});

describe('a SyncError without the filter', () => {
  it.each<[string, number]>([
    ['sync', 409],
    ['busy', 503],
  ])('%s has its status', async (what, status) => {
    const answer = await ask(await start(), `/plain/${what}`);
    expect([answer.status, answer.body]).toEqual([
      status,
      { statusCode: status, message: (thrown[what]?.() as Error).message },
    ]);
  });

  it('of SyncGuard is 401 or 403, not 500', async () => {
    const app = await start();
    guarded = () => false;
    expect((await ask(app, '/plain/sync')).status).toBe(403);
    guarded = () => {
      throw new Error('s3cr3t');
    };
    expect((await ask(app, '/plain/sync')).status).toBe(401);
    guarded = () => {
      throw new HttpException('Pay first', 402);
    };
    expect((await ask(app, '/plain/sync')).status).toBe(402);
  });

  it('that is a fault of the server says nothing', async () => {
    const answer = await ask(await start(), '/plain/wrong');
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.body)).not.toContain('s3cr3t');
  });
});

describe('what the host refuses on the sync routes', () => {
  it.each<[number, string]>([
    [401, 'unauthenticated'],
    [402, 'malformed_request'],
    [403, 'forbidden'],
    [408, 'busy'],
    [413, 'payload_too_large'],
    [423, 'busy'],
    [425, 'busy'],
    [429, 'busy'],
    [500, 'internal'],
    [502, 'unavailable'],
    [503, 'unavailable'],
    [504, 'unavailable'],
  ])('with %i keeps its status, and is %s', async (statusCode, code) => {
    const app = await start();
    guarded = () => {
      throw new HttpException('A word of the host', statusCode);
    };
    const { status, body, headers } = await ask(app, '/sync/pull');
    expect([status, body]).toEqual([statusCode, { statusCode, code, message: 'A word of the host' }]);
    const again = code === 'busy' || code === 'unavailable';
    expect(headers.get('retry-after')).toBe(again ? '2' : null);
  });

  it.each<[string, (response: Response) => unknown, string]>([
    ['in its body', () => new HttpException({ message: 'Slow down', retryAfter: 30 }, 429), '30'],
    [
      'in a header',
      (response) => (response.setHeader('Retry-After', '40'), new HttpException('x', 429)),
      '40',
    ],
    ['in its headers', () => createError(503, 'x', { headers: { 'Retry-After': '50' } }), '50'],
    ['as a text', () => Object.assign(new HttpException('x', 504), { retryAfter: '60' }), '60'],
  ])('says when to come back as the host did: %s', async (_where, error, seconds) => {
    const app = await start();
    guarded = (response) => {
      throw error(response);
    };
    expect((await ask(app, '/sync/pull')).headers.get('retry-after')).toBe(seconds);
  });

  it.each<[string, () => unknown, number, object]>([
    [
      'an error of http-errors',
      () => createError(423, 'Locked for a while'),
      423,
      { code: 'busy', message: 'Locked for a while' },
    ],
    ['one that hides its words', () => createError(502, 's3cr3t'), 502, { code: 'unavailable' }],
    [
      'a body with a list',
      () => new HttpException({ message: ['a is bad', 'b is bad'] }, 400),
      400,
      { message: 'a is bad; b is bad' },
    ],
    [
      "an error of Fastify's",
      () =>
        Object.assign(new Error('Body is too large'), {
          code: 'FST_ERR_CTP_BODY_TOO_LARGE',
          statusCode: 413,
        }),
      413,
      { code: 'payload_too_large' },
    ],
    [
      "another server's answer",
      () => Object.assign(new Error('s3cr3t'), { status: 404 }),
      401,
      { code: 'unauthenticated' },
    ],
  ])('by %s', async (_what, error, status, body) => {
    const app = await start();
    guarded = () => {
      throw error();
    };
    const answer = await ask(app, '/sync/pull');
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ statusCode: status, ...body });
    expect(JSON.stringify(answer.body)).not.toContain('s3cr3t');
  });

  it.each<[number, number, string]>([
    [401, 4401, 'unauthenticated'],
    [402, 4403, 'forbidden'],
    [403, 4403, 'forbidden'],
    [408, 1013, 'busy'],
    [423, 1013, 'busy'],
    [425, 1013, 'busy'],
    [429, 1013, 'busy'],
    [500, 1013, 'unavailable'],
    [502, 1013, 'unavailable'],
    [504, 1013, 'unavailable'],
  ])('with %i closes a socket with %i, as %s', async (status, close, code) => {
    const { url } = await start();
    guarded = () => {
      throw new HttpException('A word of the host', status);
    };
    const client = await StreamClient.open(`${url.replace('http', 'ws')}/sync/stream`);
    client.say({ type: 'subscribe', token: 'any' });
    expect(await client.untilClosed()).toBe(close);
    expect(client.ofType('error')).toEqual([expect.objectContaining({ code })]);
  });
});
