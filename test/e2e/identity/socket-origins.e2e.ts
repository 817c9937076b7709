import { Injectable, type CanActivate, type ExecutionContext, type INestApplication } from '@nestjs/common';
import type { CorsOptions } from '@nestjs/common/interfaces/external/cors-options.interface';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule, type SyncOptions, type SyncRequest } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';
import { eventually, StreamClient } from '../../support/stream-client';

const { uri } = testDatabase(__filename);
const SECRET = 'a secret of these tests that is long enough';

/** Lets in by a cookie, a header that a proxy sets, or a token: whichever it finds. */
@Injectable()
class EasyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context
      .switchToHttp()
      .getRequest<SyncRequest & { raw?: SyncRequest; rawHeaders: string[] }>();
    const { cookie, authorization } = request.headers;
    request.user = { user_id: 'ann' };
    return (
      cookie === 'sid=ann' ||
      request.raw?.headers['cookie'] === 'sid=ann' ||
      request.rawHeaders.includes('sid=ann') ||
      request.headers['x-forwarded-user'] === 'ann' ||
      authorization === 'Basic YW5u' ||
      authorization === 'Bearer good'
    );
  }
}

interface Given {
  readonly options?: Partial<SyncOptions>;
  readonly cors?: CorsOptions | boolean;
  readonly fastify?: boolean;
  readonly prepare?: (app: INestApplication) => void;
}

const apps: INestApplication[] = [];
async function start({ options, cors, fastify = false, prepare }: Given = {}): Promise<string> {
  const testing = await Test.createTestingModule({
    imports: [
      MongooseModule.forRoot(uri),
      SyncModule.forRoot({
        guard: EasyGuard,
        metricsEnabled: false,
        trimIntervalMs: 0,
        collections: [{ name: 'free', freeForm: true }],
        ...options,
      }),
    ],
  }).compile();
  const app = fastify ? testing.createNestApplication(new FastifyAdapter()) : testing.createNestApplication();
  if (cors === true) app.enableCors();
  else if (cors) app.enableCors(cors);
  prepare?.(app);
  await app.listen(0, '127.0.0.1');
  apps.push(app);
  return app.getUrl();
}
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

const COOKIE = { cookie: 'sid=ann' };

/** What a socket gets that subscribes at once: `open`, or its error's code and its close code. */
async function subscribe(
  url: string,
  headers: Record<string, string>,
  message: object = {},
): Promise<unknown> {
  const client = await StreamClient.open(`${url.replace('http', 'ws')}/sync/stream`, { headers });
  client.say({ type: 'subscribe', ack: true, ...message });
  await eventually(
    'an answer',
    () => client.closeCode !== undefined || client.ofType('subscribed').length > 0,
  );
  client.socket.terminate();
  return client.closeCode === undefined ? 'open' : [client.ofType('error')[0]?.['code'], client.closeCode];
}
const REFUSED = ['origin_not_allowed', 4403];
const EVIL = 'https://evil.example';
const SHOP = 'https://shop.example';

describe('a socket whose credentials are a header of its upgrade', () => {
  it('is opened by the own origin and by clients that are no browsers, and by nobody else', async () => {
    const url = await start();
    const { host, port } = new URL(url);
    expect(await subscribe(url, COOKIE)).toBe('open');
    for (const origin of [url, `https://${host}`, url.toUpperCase()])
      expect([origin, await subscribe(url, { ...COOKIE, origin })]).toEqual([origin, 'open']);
    for (const origin of [
      EVIL,
      'null',
      'http://127.0.0.1',
      'https://127.0.0.1',
      `http://localhost:${port}`,
      `http://127.0.0.1.evil.example:${port}`,
      `http://evil.example/?x=127.0.0.1:${port}`,
      `http://127.0.0.1:${port}@evil.example`,
      `ftp://${host}`,
      'no origin at all',
      `${url}, ${EVIL}`,
    ])
      expect([origin, await subscribe(url, { ...COOKIE, origin })]).toEqual([origin, REFUSED]);
    // What a proxy would add, anybody can send.
    for (const name of ['x-forwarded-host', 'x-forwarded-server', 'x-original-host'])
      expect(await subscribe(url, { ...COOKIE, origin: EVIL, [name]: 'evil.example' })).toEqual(REFUSED);
    // The header of an early version of the protocol.
    expect(
      await subscribe(url, { ...COOKIE, 'sec-websocket-origin': EVIL, 'sec-websocket-version': '8' }),
    ).toEqual(REFUSED);
    for (const headers of [{ 'x-forwarded-user': 'ann' }, { authorization: 'Basic YW5u' }] as Record<
      string,
      string
    >[]) {
      expect(await subscribe(url, headers)).toBe('open');
      expect(await subscribe(url, { ...headers, origin: EVIL })).toEqual(REFUSED);
    }
  });

  it.each([
    [
      'shop.example',
      ['https://shop.example', 'http://shop.example', 'HTTPS://Shop.Example'],
      ['https://shop.example:8443', 'https://www.shop.example'],
    ],
    ['shop.example:443', ['https://shop.example'], ['http://shop.example']],
    ['shop.example:80', ['http://shop.example'], ['https://shop.example']],
    ['shop.example:8443', ['https://shop.example:8443'], ['https://shop.example']],
    [
      '[::1]:3000',
      ['http://[::1]:3000', 'http://[0:0:0:0:0:0:0:1]:3000'],
      ['http://[::1]', 'http://[::2]:3000'],
    ],
    ['SHOP.example', ['https://shop.example'], ['https://hop.example']],
  ])('is asked as %s by pages of that host and port', async (host, same, other) => {
    const url = await start();
    for (const origin of same)
      expect([origin, await subscribe(url, { ...COOKIE, host, origin })]).toEqual([origin, 'open']);
    for (const origin of other)
      expect([origin, await subscribe(url, { ...COOKIE, host, origin })]).toEqual([origin, REFUSED]);
  });

  it('is opened by any page with a token in a message or in the URL, and the cookie does not count then', async () => {
    const url = await start();
    const foreign = { ...COOKIE, 'x-forwarded-user': 'ann', origin: EVIL };
    expect(await subscribe(url, foreign, { token: 'good' })).toBe('open');
    expect(await subscribe(url, foreign, { token: 'bad' })).toEqual(['forbidden', 4403]);
    expect(await subscribe(url, { ...foreign, origin: 'null' }, { token: 'good' })).toBe('open');
    expect(await subscribe(url, { ...COOKIE, origin: url }, { token: 'bad' })).toBe('open');
    const opened = await StreamClient.open(`${url.replace('http', 'ws')}/sync/stream?token=good`, {
      headers: foreign,
    });
    opened.say({ type: 'subscribe', ack: true });
    await opened.until('subscribed');
    // The same socket, again: known by now.
    opened.say({ type: 'subscribe', ack: true });
    await opened.until('subscribed', 2);
    opened.socket.terminate();
  });

  it('with the shipped check has none without an Authorization header', async () => {
    const url = await start({ options: { guard: undefined, jwt: { secret: SECRET } } });
    const token = testToken({ payload: { user_id: 'ann', exp: inSeconds(60) }, key: SECRET });
    expect(await subscribe(url, { ...COOKIE, origin: EVIL })).toEqual(['unauthenticated', 4401]);
    expect(await subscribe(url, { origin: EVIL }, { token })).toBe('open');
    const authorization = `Bearer ${token}`;
    expect(await subscribe(url, { authorization })).toBe('open');
    expect(await subscribe(url, { authorization, origin: EVIL })).toEqual(REFUSED);
  });
});

describe('option allowedOrigins', () => {
  const answers = async (url: string, origins: readonly string[]): Promise<unknown[]> => {
    const found: unknown[] = [];
    for (const origin of origins)
      found.push([origin, (await subscribe(url, { ...COOKIE, origin })) === 'open']);
    return found;
  };

  it('takes a list of origins and regular expressions, next to the own origin', async () => {
    const allowedOrigins = [
      'https://Shop.example:443/',
      'capacitor://localhost',
      /^https:\/\/[a-z]+\.shop\.example$/g,
    ];
    const url = await start({ options: { allowedOrigins } });
    const yes = [SHOP, 'capacitor://localhost', 'https://a.shop.example', 'https://b.shop.example', url];
    const no = [
      EVIL,
      'http://shop.example',
      'https://shop.example:8443',
      'capacitor://evil',
      'https://a.shop.example.evil.example',
      'null',
    ];
    expect(await answers(url, [...yes, ...no])).toEqual([
      ...yes.map((o) => [o, true]),
      ...no.map((o) => [o, false]),
    ]);
  });

  it('takes true for any', async () => {
    const url = await start({ options: { allowedOrigins: true } });
    expect(await answers(url, [EVIL, 'null'])).toEqual([
      [EVIL, true],
      ['null', true],
    ]);
  });

  it('takes a function that decides alone, and only by true', async () => {
    const given: unknown[] = [];
    const url = await start({
      cors: { origin: EVIL, credentials: true },
      options: {
        allowedOrigins: (origin, request) => {
          given.push([origin, request.headers['cookie']]);
          if (origin === 'https://broken.example') throw new Error('broken');
          return (
            origin === 'https://truthy.example' ? 'yes' : Promise.resolve(origin === SHOP)
          ) as Promise<boolean>;
        },
      },
    });
    const no = ['https://truthy.example', 'https://broken.example', EVIL, url];
    expect(await answers(url, [SHOP, ...no])).toEqual([[SHOP, true], ...no.map((o) => [o, false])]);
    expect(given[0]).toEqual([SHOP, 'sid=ann']);
  });
});

describe.each([
  ['Express', false],
  ['Fastify', true],
])('the CORS setting of the app, on %s', (_name, fastify) => {
  const allowed = async (cors: CorsOptions | boolean, ...origins: string[]): Promise<unknown> => {
    const url = await start({ cors, fastify });
    const found = [];
    for (const origin of origins) found.push((await subscribe(url, { ...COOKIE, origin })) === 'open');
    return found;
  };

  it('lets in the origins that it names', async () => {
    expect(await allowed({ origin: SHOP, credentials: true }, SHOP, EVIL, 'null')).toEqual([
      true,
      false,
      false,
    ]);
    expect(
      await allowed({ origin: [SHOP, /\.shop\.example$/] }, SHOP, 'https://a.shop.example', EVIL),
    ).toEqual([true, true, false]);
    const byFunction: CorsOptions = {
      credentials: true,
      origin: (origin: string | undefined, done: (error: Error | null, allow: boolean) => void) =>
        done(null, origin === SHOP),
    };
    expect(await allowed(byFunction, SHOP, EVIL)).toEqual([true, false]);
  });

  it('that is open to everyone lets cookies in only with credentials', async () => {
    expect(await allowed(true, EVIL)).toEqual([false]);
    expect(await allowed({ origin: true }, EVIL)).toEqual([false]);
    expect(await allowed({ origin: '*', credentials: true }, EVIL)).toEqual([false]);
    expect(await allowed({ origin: true, credentials: true }, EVIL, 'null')).toEqual([true, false]);
    expect(await allowed({ origin: false }, EVIL)).toEqual([false]);
  });

  it('allows nothing when it fails', async () => {
    const failing: CorsOptions = {
      credentials: true,
      origin: (_origin: string | undefined, done: (error: Error | null, allow: boolean) => void) =>
        done(new Error('no'), true),
    };
    expect(await allowed(failing, SHOP)).toEqual([false]);
  });
});
