import {
  ForbiddenException,
  HttpException,
  Inject,
  Injectable,
  Module,
  Scope,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type Provider,
} from '@nestjs/common';
import { APP_GUARD, REQUEST, Reflector } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { Request, Response } from 'express';
import { Observable, of } from 'rxjs';
import type { SyncRequest } from '../../../libs/sync/src/options/sync.options';
import { SYNC_CONTROLLER } from '../../../libs/sync/src/options/tokens';
import { testDatabase } from '../../support/database';
import {
  startStreamApp,
  streamModule,
  type StreamApp,
  type StreamAppOptions,
} from '../../support/stream-app';
import { eventually, StreamClient } from '../../support/stream-client';

const { uri } = testDatabase(__filename);
const open: StreamApp[] = [];
async function start(given: Omit<StreamAppOptions, 'uri'>): Promise<StreamApp> {
  const stream = await startStreamApp({ uri, ...given });
  open.push(stream);
  return stream;
}
afterEach(async () => {
  for (const stream of open.splice(0)) {
    stream.hangUp();
    await stream.app.close();
  }
});

interface Outcome {
  readonly http: number;
  /** The close code, or `open`. */
  readonly socket: number | 'open';
}

/** What the same token is worth on a route and on the socket. */
async function outcome(stream: StreamApp, claims: object = {}): Promise<Outcome> {
  const token = stream.token(claims);
  const url = new URL('/sync/pull', stream.url.replace('ws', 'http'));
  const { status } = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const client = await stream.subscribe({ token, ack: true });
  await eventually(
    'an answer',
    () => client.closeCode !== undefined || client.ofType('subscribed').length > 0,
  );
  const socket = client.closeCode ?? 'open';
  return { http: status, socket };
}

const claimsOf = (request: SyncRequest): { suspended?: boolean } => {
  const [, payload = ''] = String(request.headers['authorization']).split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as { suspended?: boolean };
};
const passes = (context: ExecutionContext): boolean =>
  claimsOf(context.switchToHttp().getRequest<SyncRequest>()).suspended !== true;

@Injectable()
class Suspended implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return passes(context);
  }
}
@Injectable({ scope: Scope.REQUEST })
class ScopedSuspended implements CanActivate {
  constructor(@Inject(REQUEST) private readonly request: SyncRequest) {}
  canActivate(): Promise<boolean> {
    return Promise.resolve(claimsOf(this.request).suspended !== true);
  }
}
@Injectable({ scope: Scope.TRANSIENT })
class TransientSuspended extends Suspended {}
@Module({ providers: [{ provide: APP_GUARD, useClass: Suspended }] })
class OtherModule {}

describe('a global guard of the app', () => {
  const byFactory = (guard: () => CanActivate): Provider => ({ provide: APP_GUARD, useFactory: guard });
  it.each<[string, Omit<StreamAppOptions, 'uri'>]>([
    ['useClass', { providers: [{ provide: APP_GUARD, useClass: Suspended }] }],
    ['useExisting', { providers: [Suspended, { provide: APP_GUARD, useExisting: Suspended }] }],
    ['useFactory', { providers: [byFactory(() => new Suspended())] }],
    ['useValue', { providers: [{ provide: APP_GUARD, useValue: new Suspended() }] }],
    ['useClass, request-scoped', { providers: [{ provide: APP_GUARD, useClass: ScopedSuspended }] }],
    ['useClass, transient', { providers: [{ provide: APP_GUARD, useClass: TransientSuspended }] }],
    [
      'useFactory, request-scoped',
      {
        providers: [
          {
            provide: APP_GUARD,
            scope: Scope.REQUEST,
            inject: [REQUEST],
            useFactory: (request: SyncRequest) => new ScopedSuspended(request),
          },
        ],
      },
    ],
    ['useGlobalGuards', { prepare: (app) => app.useGlobalGuards(new Suspended()) }],
    [
      'useExisting of a request-scoped one',
      { providers: [ScopedSuspended, { provide: APP_GUARD, useExisting: ScopedSuspended }] },
    ],
    ['another module', { imports: [OtherModule] }],
    ['an Observable', { providers: [byFactory(() => ({ canActivate: (context) => of(passes(context)) }))] }],
  ])('by %s holds on the routes and on the socket', async (_how, given) => {
    const stream = await start(given);
    expect(await outcome(stream)).toEqual({ http: 200, socket: 'open' });
    expect(await outcome(stream, { suspended: true })).toEqual({ http: 403, socket: 4403 });
  });

  it('is asked again when a fresh token comes', async () => {
    const stream = await start({ providers: [{ provide: APP_GUARD, useClass: ScopedSuspended }] });
    const client = await stream.subscribe({ ack: true });
    await client.until('subscribed');
    client.say({ type: 'token', token: stream.token({ suspended: true }) });
    expect(await client.untilClosed()).toBe(4403);
    expect(client.ofType('error')).toEqual([expect.objectContaining({ code: 'forbidden' })]);
  });

  it.each<[string, () => unknown]>([
    ['an object', () => ({ allowed: false })],
    ['a text', () => 'no'],
    ['a number', () => 1],
    ['nothing', () => undefined],
    ['an Observable of nothing', () => new Observable((observer) => observer.complete())],
    ['a promise of an object', () => Promise.resolve({})],
  ])('that answers %s lets no socket pass', async (_what, answer) => {
    const guard = { canActivate: answer } as unknown as CanActivate;
    const stream = await start({ providers: [{ provide: APP_GUARD, useValue: guard }] });
    expect((await outcome(stream)).socket).toBe(4403);
  });

  it.each<[string, () => Error, Outcome, string]>([
    ['403', () => new ForbiddenException('Not on Sundays'), { http: 403, socket: 4403 }, 'Not on Sundays'],
    ['401', () => new HttpException('Log in', 401), { http: 401, socket: 4401 }, 'Log in'],
    ['429', () => new HttpException('Slow down', 429), { http: 429, socket: 1013 }, 'Slow down'],
    ['503', () => new HttpException('Maintenance', 503), { http: 503, socket: 1013 }, 'Maintenance'],
    ['another error', () => new TypeError('secret'), { http: 500, socket: 1011 }, 'went wrong'],
  ])('that throws %s closes the socket accordingly', async (_what, error, expected, words) => {
    const guard: CanActivate = {
      canActivate: () => {
        throw error();
      },
    };
    const stream = await start({ providers: [{ provide: APP_GUARD, useValue: guard }] });
    expect(await outcome(stream)).toEqual(expected);
    const client = await stream.subscribe();
    const message = await client.until('error');
    expect(message['message']).toMatch(new RegExp(words, 'i'));
    expect(JSON.stringify(message)).not.toContain('secret');
  });

  it('finds the metadata that it finds on the routes', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Roles implements CanActivate {
      constructor(@Inject(Reflector) private readonly reflector: Reflector) {}
      canActivate(context: ExecutionContext): boolean {
        seen.push([context.getClass().name, typeof context.getHandler(), context.getType()]);
        return this.reflector.getAllAndOverride<boolean>('public', [
          context.getHandler(),
          context.getClass(),
        ]);
      }
    }
    const stream = await start({ providers: [{ provide: APP_GUARD, useClass: Roles }] });
    expect(await outcome(stream)).toEqual({ http: 403, socket: 4403 });
    SetMetadata('public', true)(stream.app.get<new () => unknown>(SYNC_CONTROLLER, { strict: false }));
    expect(await outcome(stream)).toEqual({ http: 200, socket: 'open' });
    expect(new Set(seen.map((entry) => JSON.stringify(entry))).size).toBe(1);
  });
});

/** As @nestjs/throttler does: counts by address, tells by headers. */
class Throttler implements CanActivate {
  readonly seen: unknown[] = [];
  constructor(private readonly limit: number) {}
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<Response>();
    this.seen.push([request.ips.length > 0 ? request.ips[0] : request.ip, request.headers['user-agent']]);
    response.header('X-RateLimit-Remaining', String(this.limit - this.seen.length));
    response.status(200);
    if (this.seen.length <= this.limit) return true;
    response.header('Retry-After', '7');
    throw new HttpException('ThrottlerException: Too Many Requests', 429);
  }
}

describe('a throttler as a global guard', () => {
  const ask = async (url: string, token: string): Promise<StreamClient> => {
    const headers = { 'user-agent': 'device', 'x-forwarded-for': '203.0.113.7' };
    const client = await StreamClient.open(`${url}/sync/stream`, { headers });
    client.say({ type: 'subscribe', token, ack: true });
    return client;
  };

  it('counts sockets as it counts requests, by the address that Express trusts', async () => {
    const throttler = new Throttler(1);
    const stream = await start({
      providers: [{ provide: APP_GUARD, useValue: throttler }],
      prepare: (app) =>
        (app.getHttpAdapter().getInstance() as { set(...of: unknown[]): void }).set('trust proxy', 1),
    });
    const url = stream.url.replace('/sync/stream', '');
    await (await ask(url, stream.token())).until('subscribed');
    expect(await (await ask(url, stream.token())).untilClosed()).toBe(1013);
    expect(throttler.seen).toEqual([
      ['203.0.113.7', 'device'],
      ['203.0.113.7', 'device'],
    ]);
  });

  it('does not fail on Fastify', async () => {
    const seen: unknown[] = [];
    const guard: CanActivate = {
      canActivate(context) {
        const reply = context
          .switchToHttp()
          .getResponse<{ header(...of: unknown[]): unknown; code(of: number): unknown }>();
        reply.header('X-RateLimit-Remaining', 3);
        reply.code(200);
        seen.push(context.switchToHttp().getRequest<{ ip: string }>().ip);
        return true;
      },
    };
    const metadata = streamModule({ uri, providers: [{ provide: APP_GUARD, useValue: guard }] });
    const testing = await Test.createTestingModule({
      imports: [{ module: class Host {}, ...metadata }],
    }).compile();
    const app: INestApplication = testing.createNestApplication(new FastifyAdapter());
    await app.listen(0, '127.0.0.1');
    const client = await ask((await app.getUrl()).replace('http', 'ws'), 'x.y.z');
    expect(await client.untilClosed()).toBe(4401);
    expect(seen).toEqual(['127.0.0.1']);
    await app.close();
  });
});
