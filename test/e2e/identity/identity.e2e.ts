import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  HttpException,
  Inject,
  Injectable,
  Scope,
  UnauthorizedException,
  ForbiddenException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import type { Request } from 'express';
import mongoose, { Types } from 'mongoose';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { of, type Observable } from 'rxjs';
import { errorBody, SyncError } from 'nest-offline-sync-protocol';
import { IdentityService } from '../../../libs/sync/src/identity/identity.service';
import type { SyncOptions, SyncRequest } from '../../../libs/sync/src/options/sync.options';
import { testDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';
import { startWhoApp, TEST_SECRET, who, type RunningApp } from '../../support/sync-app';

const { uri } = testDatabase(__filename);
const user = { user_id: 'u1', business_id: 'b1' };
const good = (claims: object = {}): string =>
  testToken({ payload: { ...user, exp: inSeconds(60), ...claims }, key: TEST_SECRET });

const open: RunningApp[] = [];
async function start(
  options: SyncOptions,
  metadata?: Parameters<typeof startWhoApp>[2],
  prepare?: Parameters<typeof startWhoApp>[3],
): Promise<RunningApp> {
  const app = await startWhoApp(uri, options, metadata, prepare);
  open.push(app);
  return app;
}
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** A request as it comes with an upgrade: Node's own, still open, without any framework's additions. */
function upgradeRequest(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve) => {
    const server = createServer(resolve).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      // Ends with its server, without an answer.
      get({ port, path, headers, host: '127.0.0.1', agent: false }).on('error', () => undefined);
    });
    servers.push(server);
  });
}

describe('the shipped JWT check with a shared secret', () => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startWhoApp(uri, {
      jwt: { secret: TEST_SECRET, issuer: 'https://id.example', audience: ['shop', 'admin'] },
      scopeIdField: 'business_id',
    });
  });
  afterAll(() => app.close());

  const payload = { ...user, iss: 'https://id.example', aud: 'shop', exp: inSeconds(600) };
  const token = (claims: object = {}): string =>
    testToken({ payload: { ...payload, ...claims }, key: TEST_SECRET });

  it('lets a good token pass with its scope, actor and end', async () => {
    expect(await who(app.url, token())).toEqual({
      status: 200,
      body: { scopeId: 'b1', actorId: 'u1', expiresAt: new Date(payload.exp * 1000).toISOString() },
    });
    expect((await who(app.url, token({ aud: ['other', 'admin'] }))).status).toBe(200);
  });

  it('takes a token without exp as one that does not end', async () => {
    const { body } = await who(app.url, token({ exp: undefined }));
    expect(body).toEqual({ scopeId: 'b1', actorId: 'u1' });
  });

  const [head, claims, signature] = token().split('.') as [string, string, string];
  it.each<[string, string | undefined, string]>([
    ['no token', undefined, 'No bearer token'],
    ['a malformed token', 'abc', 'not a valid JWT'],
    ['three empty parts', '..', 'not a valid JWT'],
    ['parts that are no JSON', 'a.b.c', 'not a valid JWT'],
    ['alg none', testToken({ header: { alg: 'none' }, payload }), 'not signed'],
    [
      'alg none with a signature',
      testToken({ header: { alg: 'none' }, payload, key: TEST_SECRET }),
      'algorithm',
    ],
    ['alg NONE', testToken({ header: { alg: 'NONE' }, payload, key: TEST_SECRET }), 'algorithm'],
    ['no alg', testToken({ header: {}, payload, key: TEST_SECRET }), 'algorithm'],
    [
      'an alg that is no text',
      testToken({ header: { alg: ['HS256'] }, payload, key: TEST_SECRET }),
      'algorithm',
    ],
    ['no signature', `${head}.${claims}.`, 'not signed'],
    [
      'another key',
      testToken({ payload, key: 'another secret of thirty-two bytes!' }),
      'not signed by the key',
    ],
    [
      'changed claims',
      `${head}.${Buffer.from(JSON.stringify({ ...payload, business_id: 'b2' })).toString('base64url')}.${signature}`,
      'not signed by the key',
    ],
    ['an end in the past', token({ exp: inSeconds(-1) }), 'expired'],
    ['an exp that is no number', token({ exp: 'never' }), 'not a valid JWT'],
    ['a start in the future', token({ nbf: inSeconds(60) }), 'not valid yet'],
    ['another issuer', token({ iss: 'https://evil.example' }), 'another issuer'],
    ['no issuer', token({ iss: undefined }), 'another issuer'],
    ['another audience', token({ aud: 'bank' }), 'another audience'],
  ])('answers 401 to %s, and says why', async (_what, bad, reason) => {
    const { status, body } = await who(app.url, bad);
    expect({ status, body }).toEqual({
      status: 401,
      body: { statusCode: 401, code: 'unauthenticated', message: expect.stringContaining(reason) as string },
    });
    // Neither configured names nor the token come back.
    expect(JSON.stringify(body)).not.toMatch(/id\.example|shop|eyJ/);
  });

  it('answers 401 to claims that are no object', async () => {
    const { url } = await start({ jwt: { secret: TEST_SECRET } });
    for (const claims of ['u1', ['u1'], 7, null]) {
      const { body } = await who(url, testToken({ payload: claims, key: TEST_SECRET }));
      expect(body).toMatchObject({ statusCode: 401, code: 'unauthenticated' });
    }
  });

  it('reads no token from the query or from another scheme', async () => {
    for (const headers of [undefined, { authorization: `Basic ${token()}` }]) {
      const response = await fetch(`${app.url}/who?token=${token()}&access_token=${token()}`, { headers });
      expect(response.status).toBe(401);
    }
  });
});

describe('the shipped JWT check with a public key', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = (key: typeof rsa.publicKey): string => key.export({ type: 'spki', format: 'pem' }) as string;

  it('verifies RS256, and takes no HS256 made with the public key as its secret', async () => {
    const app = await start({ jwt: { publicKey: pem(rsa.publicKey) } });
    const signed = testToken({ header: { alg: 'RS256' }, payload: user, key: rsa.privateKey });
    expect((await who(app.url, signed)).body).toEqual({ scopeId: 'u1', actorId: 'u1' });
    for (const secret of [
      pem(rsa.publicKey),
      pem(rsa.publicKey).trim(),
      rsa.publicKey.export({ type: 'spki', format: 'der' }),
    ]) {
      const forged = testToken({ header: { alg: 'HS256' }, payload: user, key: secret });
      expect((await who(app.url, forged)).status).toBe(401);
    }
    const otherKind = testToken({ header: { alg: 'ES256' }, payload: user, key: ec.privateKey });
    expect((await who(app.url, otherKind)).status).toBe(401);
  });

  it('verifies ES256', async () => {
    const app = await start({ jwt: { publicKey: pem(ec.publicKey), algorithms: ['ES256'] } });
    const signed = testToken({ header: { alg: 'ES256' }, payload: user, key: ec.privateKey });
    expect((await who(app.url, signed)).status).toBe(200);
    const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    expect(
      (await who(app.url, testToken({ header: { alg: 'ES256' }, payload: user, key: foreign }))).status,
    ).toBe(401);
  });
});

describe('the shipped JWT check with a key set', () => {
  const keys = ['one', 'two'].map((kid) => ({ kid, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) }));
  const signed = (index: number, kid = keys[index]!.kid): string =>
    testToken({ header: { alg: 'RS256', kid }, payload: user, key: keys[index]!.privateKey });

  let server: Server;
  let published: number[];
  let fetches: number;
  /** Takes the place of the published set. */
  let answer: ((response: ServerResponse) => unknown) | undefined;
  beforeEach(async () => {
    published = [0];
    fetches = 0;
    answer = undefined;
    server = createServer((_request, response) => {
      fetches += 1;
      if (answer) return void answer(response);
      const jwks = published.map((index) => ({
        ...keys[index]!.publicKey.export({ format: 'jwk' }),
        kid: keys[index]!.kid,
        alg: 'RS256',
        use: 'sig',
      }));
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: jwks }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));
  const jwksUri = (): string => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/keys`;

  it('finds a key that was added later, and forgets one that was removed', async () => {
    const { url } = await start({ jwt: { jwksUri: jwksUri() } });
    expect((await who(url, signed(0))).status).toBe(200);
    expect((await who(url, signed(1))).status).toBe(401);
    published = [1];
    const deadline = Date.now() + 10_000;
    while ((await who(url, signed(1))).status !== 200) expect(Date.now()).toBeLessThan(deadline);
    expect((await who(url, signed(0))).status).toBe(401);
    // However many tokens named an unknown key, the set was not fetched for each.
    expect(fetches).toBeLessThan(8);
  });

  it('refuses a key id that names another key, HS256 with the published key, and never fetches for alg none', async () => {
    const { url } = await start({ jwt: { jwksUri: jwksUri() } });
    expect((await who(url, testToken({ header: { alg: 'none', kid: 'one' }, payload: user }))).status).toBe(
      401,
    );
    const pem = keys[0]!.publicKey.export({ type: 'spki', format: 'pem' }) as string;
    expect(
      (await who(url, testToken({ header: { alg: 'HS256', kid: 'one' }, payload: user, key: pem }))).status,
    ).toBe(401);
    expect(fetches).toBe(0);
    expect((await who(url, signed(1, 'one'))).status).toBe(401);
  });

  it('takes a key without alg or kid by its kind, and leaves out one that is not for signatures', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const set = [
      { ...keys[0]!.publicKey.export({ format: 'jwk' }), use: 'enc', kid: 'for-encryption' },
      { ...keys[1]!.publicKey.export({ format: 'jwk' }) },
      { ...ec.publicKey.export({ format: 'jwk' }) },
      { kty: 'oct', k: 'c2VjcmV0' },
      { kty: 'unheard of' },
    ];
    answer = (response) => response.end(JSON.stringify({ keys: set }));
    const { url } = await start({ jwt: { jwksUri: jwksUri() } });
    const statusOf = async (header: object, key: KeyObject): Promise<number> =>
      (await who(url, testToken({ header: { ...header }, payload: user, key }))).status;
    expect(await statusOf({ alg: 'RS256' }, keys[1]!.privateKey)).toBe(200);
    expect(await statusOf({ alg: 'ES256' }, ec.privateKey)).toBe(200);
    expect(await statusOf({ alg: 'RS256', kid: 'for-encryption' }, keys[0]!.privateKey)).toBe(401);
    expect(await statusOf({ alg: 'RS256', kid: 'toString' }, keys[1]!.privateKey)).toBe(401);
  });

  it('keeps a known key for its users while others name unknown ones', async () => {
    const { url } = await start({ jwt: { jwksUri: jwksUri() } });
    const unknown = Array.from({ length: 50 }, (_, i) => who(url, signed(1, `made-up-${String(i)}`)));
    for (const { status } of await Promise.all(unknown)) expect(status).toBe(401);
    expect((await who(url, signed(0))).status).toBe(200);
    expect(fetches).toBeLessThan(3);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['an error', (response) => response.writeHead(500).end()],
    ['a redirect', (response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['no JSON', (response) => response.end('<html>')],
    ['no key set', (response) => response.end('[]')],
    ['half an answer', (response) => (response.write('{"keys":['), setImmediate(() => response.destroy()))],
  ])('answers 503, not 401, while the key set is %s', async (_, bad) => {
    answer = bad;
    const { url } = await start({ jwt: { jwksUri: jwksUri() } });
    expect((await who(url, signed(0))).status).toBe(503);
    answer = undefined;
    expect((await who(url, signed(0))).status).toBe(200);
  });

  it('answers 503, not 401, while the key set is out of reach', async () => {
    const uriOfNobody = jwksUri();
    await new Promise((resolve) => server.close(resolve));
    const { url } = await start({ jwt: { jwksUri: uriOfNobody } });
    const response = await fetch(`${url}/who`, { headers: { authorization: `Bearer ${signed(0)}` } });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('5');
    expect(await response.json()).toMatchObject({ code: 'unavailable' });
    server = createServer().listen(0);
  });
});

describe('scope and actor', () => {
  const id = new Types.ObjectId();

  it.each<[string, Partial<SyncOptions>, object, object]>([
    ['by default one user each', {}, {}, { scopeId: 'u1', actorId: 'u1' }],
    [
      'from dotted paths',
      { scopeIdField: 'org.unit.id', actorIdField: 'sub' },
      { org: { unit: { id: 'x1' } }, sub: 's1' },
      { scopeId: 'x1', actorId: 's1' },
    ],
    ['from numbers', { scopeIdField: 'tenant' }, { tenant: 42 }, { scopeId: '42', actorId: 'u1' }],
    [
      'from resolvers, async too, with an ObjectId',
      { scopeIdResolver: () => Promise.resolve(id), actorIdResolver: () => 7 },
      {},
      { scopeId: id.toHexString(), actorId: '7' },
    ],
    [
      'from where options.user finds the user',
      { user: (request: SyncRequest) => ({ user_id: (request.user as { sub: string }).sub }) },
      { sub: 'from-sub' },
      { scopeId: 'from-sub', actorId: 'from-sub' },
    ],
  ])('come %s', async (_how, options, claims, expected) => {
    const app = await start({ jwt: { secret: TEST_SECRET }, ...options });
    expect((await who(app.url, good({ ...claims, exp: undefined }))).body).toEqual(expected);
  });

  it.each<[string, Partial<SyncOptions>, object]>([
    ['a missing field', { scopeIdField: 'tenant' }, {}],
    ['an empty text', { scopeIdField: 'tenant' }, { tenant: '' }],
    ['an object', { scopeIdField: 'tenant' }, { tenant: { $gt: '' } }],
    ['a list', { scopeIdField: 'tenant' }, { tenant: ['b1'] }],
    ['a fraction', { scopeIdField: 'tenant' }, { tenant: 1.5 }],
    ['null', { scopeIdField: 'tenant' }, { tenant: null }],
    ['a lone surrogate', { scopeIdField: 'tenant' }, { tenant: '\ud800' }],
    ['no actor', { actorIdField: 'nobody' }, {}],
    ['a resolver that gives nothing', { scopeIdResolver: () => undefined }, {}],
    [
      'a resolver that throws',
      {
        scopeIdResolver: () => {
          throw new Error('secret detail');
        },
      },
      {},
    ],
  ])('are refused with 403 for %s', async (_what, options, claims) => {
    const app = await start({ jwt: { secret: TEST_SECRET }, ...options });
    const { status, body } = await who(app.url, good(claims));
    expect([status, body['code']]).toEqual([403, 'scope_missing']);
    expect(body['message']).not.toContain('secret detail');
  });

  it('answer 503 while the database of a resolver is out of reach', async () => {
    const app = await start({
      jwt: { secret: TEST_SECRET },
      scopeIdResolver: () => Promise.reject(new mongoose.mongo.MongoNetworkError('gone')),
    });
    expect((await who(app.url, good())).body).toMatchObject({ statusCode: 503, code: 'unavailable' });
  });
});

describe("the app's own guard", () => {
  const pass = (context: ExecutionContext): boolean => {
    const request = context.switchToHttp().getRequest<SyncRequest>();
    if (request.headers['x-key'] !== 'k1' && request.headers['authorization'] !== 'Bearer k1') return false;
    request.user = user;
    return true;
  };
  @Injectable()
  class SyncHostGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      return pass(context);
    }
  }
  class AsyncHostGuard implements CanActivate {
    canActivate(context: ExecutionContext): Promise<boolean> {
      return Promise.resolve(pass(context));
    }
  }
  class ObservableHostGuard implements CanActivate {
    canActivate(context: ExecutionContext): Observable<boolean> {
      return of(pass(context));
    }
  }
  const ask = async (url: string, key: string): Promise<[number, unknown]> => {
    const response = await fetch(`${url}/who`, { headers: { 'x-key': key } });
    const body = (await response.json()) as { code?: string; scopeId?: string };
    return [response.status, body.code ?? body.scopeId];
  };

  it.each([
    ['answers at once', SyncHostGuard],
    ['answers with a promise', AsyncHostGuard],
    ['answers with an Observable', ObservableHostGuard],
  ])('may be one that %s', async (_how, guard) => {
    const { url } = await start({ guard, scopeIdField: 'business_id' });
    expect(await ask(url, 'k1')).toEqual([200, 'b1']);
    expect(await ask(url, 'wrong')).toEqual([403, 'forbidden']);
  });

  it.each<[string, () => unknown, number, string, string | undefined]>([
    [
      'a 401 with words',
      () => new UnauthorizedException('Session revoked'),
      401,
      'unauthenticated',
      'Session revoked',
    ],
    ['a bare 401', () => new UnauthorizedException(), 401, 'unauthenticated', undefined],
    ['a 403 with words', () => new ForbiddenException('Not on Sundays'), 403, 'forbidden', 'Not on Sundays'],
    ['another status', () => new HttpException('Pay first', 402), 402, 'malformed_request', 'Pay first'],
    ['another error', () => new TypeError('secret detail'), 401, 'unauthenticated', undefined],
    ['no error at all', () => 'secret detail', 401, 'unauthenticated', undefined],
    [
      'a lost database',
      () => new mongoose.mongo.MongoNetworkError('secret detail'),
      503,
      'unavailable',
      undefined,
    ],
  ])('that throws %s is answered in our shape', async (_what, error, status, code, message) => {
    class ThrowingGuard implements CanActivate {
      canActivate(): boolean {
        throw error();
      }
    }
    const { url } = await start({ guard: ThrowingGuard });
    const answer = await who(url);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ statusCode: status, code });
    if (message !== undefined) expect(answer.body['message']).toBe(message);
    expect(JSON.stringify(answer.body)).not.toContain('secret detail');
  });

  it('is taken from the providers of the app, with what is injected there', async () => {
    @Injectable()
    class Keys {
      readonly known = 'from-di';
    }
    @Injectable()
    class InjectedGuard implements CanActivate {
      constructor(@Inject(Keys) private readonly keys: Keys) {}
      canActivate(context: ExecutionContext): boolean {
        context.switchToHttp().getRequest<SyncRequest>().user = { user_id: this.keys.known };
        return true;
      }
    }
    const { url } = await start({ guard: InjectedGuard }, { providers: [Keys, InjectedGuard] });
    expect(await ask(url, '')).toEqual([200, 'from-di']);
  });

  it('may be request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class RequestGuard implements CanActivate {
      constructor(@Inject(REQUEST) private readonly request: SyncRequest) {}
      canActivate(context: ExecutionContext): boolean {
        const key = this.request.headers['x-key'] ?? this.request.headers['authorization'];
        context.switchToHttp().getRequest<SyncRequest>().user = { user_id: key };
        return true;
      }
    }
    const { url, app } = await start({ guard: RequestGuard }, { providers: [RequestGuard] });
    expect(await Promise.all([ask(url, 'k1'), ask(url, 'k2')])).toEqual([
      [200, 'k1'],
      [200, 'k2'],
    ]);
    const identity = await app.get(IdentityService).fromToken(await upgradeRequest('/sync/stream'), 't1');
    expect(identity.scopeId).toBe('Bearer t1');
  });

  it('that cannot be made keeps the app from starting, with the remedy', async () => {
    @Injectable()
    class NeedyGuard implements CanActivate {
      constructor(@Inject('NOWHERE') readonly missing: unknown) {}
      canActivate(): boolean {
        return true;
      }
    }
    await expect(start({ guard: NeedyGuard })).rejects.toThrow(
      /NeedyGuard cannot be made here. Add it to the providers/,
    );
  });

  it('may be a passport guard whose validate() throws', async () => {
    @Injectable()
    class HostStrategy extends PassportStrategy(Strategy, 'host-jwt') {
      constructor() {
        super({
          jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
          secretOrKey: TEST_SECRET,
          algorithms: ['HS256'],
        });
      }
      validate(payload: { user_id: string }): object {
        if (payload.user_id === 'broken') throw new Error('secret detail');
        return payload;
      }
    }
    const { url, app } = await start({ guard: AuthGuard('host-jwt') }, { providers: [HostStrategy] });
    expect((await who(url, good())).status).toBe(200);
    expect((await who(url, good({ user_id: 'broken' }))).body).toMatchObject({ code: 'unauthenticated' });
    expect((await who(url)).body).toMatchObject({ code: 'unauthenticated' });
    const request = await upgradeRequest('/sync/stream');
    const expiring = inSeconds(30);
    const identity = await app.get(IdentityService).fromToken(request, good({ exp: expiring }));
    expect(identity).toMatchObject({ scopeId: 'u1', expiresAt: new Date(expiring * 1000) });
  });
});

describe('the identity of a socket', () => {
  it('comes by the very same check as over HTTP', async () => {
    const { url, app } = await start({ jwt: { secret: TEST_SECRET }, scopeIdField: 'business_id' });
    const identities = app.get(IdentityService);
    const request = await upgradeRequest('/sync/stream?token=x', { cookie: 'a=b' });
    for (const token of [
      good(),
      good({ exp: undefined }),
      good({ business_id: '' }),
      good({ exp: inSeconds(-5) }),
      'abc',
    ]) {
      const overHttp = await who(url, token);
      const overSocket = await identities.fromToken(request, token).then(
        ({ scopeId, actorId, expiresAt }) => ({
          scopeId,
          actorId,
          ...(expiresAt ? { expiresAt: expiresAt.toISOString() } : {}),
        }),
        (error: unknown) => (error instanceof SyncError ? errorBody(error) : error),
      );
      expect(overSocket).toEqual(overHttp.body);
    }
  });

  it('can rest on the headers of the upgrade request, and leaves that request as it is', async () => {
    const { app } = await start({ jwt: { secret: TEST_SECRET } });
    const identities = app.get(IdentityService);
    const withHeader = await upgradeRequest('/sync/stream', { authorization: `Bearer ${good()}` });
    expect((await identities.fromToken(withHeader, undefined)).actorId).toBe('u1');
    expect((await identities.fromToken(withHeader, good({ user_id: 'u2' }))).actorId).toBe('u2');
    expect((await identities.fromToken(withHeader, undefined)).actorId).toBe('u1');
    expect('user' in withHeader).toBe(false);
    await expect(identities.fromToken(await upgradeRequest('/'), undefined)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });

  it('is not found with a token that cannot be in a header', async () => {
    const { app } = await start({ jwt: { secret: TEST_SECRET } });
    const request = await upgradeRequest('/sync/stream', { authorization: `Bearer ${good()}` });
    for (const token of ['', 'a b', `${good()}\r\nx-admin: 1`, 'x'.repeat(20_000)])
      await expect(app.get(IdentityService).fromToken(request, token)).rejects.toMatchObject({
        code: 'unauthenticated',
      });
  });

  it('gives a guard the request that it knows from HTTP', async () => {
    let seen: Record<string, unknown> = {};
    class CuriousGuard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const request = context.switchToHttp().getRequest<SyncRequest & Request>();
        const { method, url, query, params, ip } = request;
        const header = request.get('Authorization');
        seen = {
          type: context.getType(),
          method,
          url,
          query,
          params,
          ip,
          header,
          cookie: request.headers['cookie'],
        };
        request.user = user;
        return true;
      }
    }
    const ends = new Date(Date.now() + 5_000);
    const { app } = await start({ guard: CuriousGuard, expiresAt: () => ends });
    const request = await upgradeRequest('/sync/stream?room=7', { cookie: 'session=1' });
    const identity = await app.get(IdentityService).fromToken(request, 'opaque');
    expect(identity.expiresAt).toBe(ends);
    expect(seen).toEqual({
      type: 'http',
      method: 'GET',
      url: '/sync/stream?room=7',
      query: { room: '7' },
      params: {},
      ip: '127.0.0.1',
      header: 'Bearer opaque',
      cookie: 'session=1',
    });
  });
});

describe('options that could verify nothing, or too much', () => {
  const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
    type: 'spki',
    format: 'pem',
  }) as string;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const edPem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }) as string;

  it.each<[string, SyncOptions, string]>([
    ['neither jwt nor guard', {}, 'no authentication is configured. Set jwt: { secret }'],
    ['both', { jwt: { secret: TEST_SECRET }, guard: class {} as never }, 'exclude each other'],
    ['no key', { jwt: {} }, 'needs exactly one of secret, publicKey and jwksUri'],
    ['two keys', { jwt: { secret: TEST_SECRET, publicKey: rsaPem } }, 'exactly one of'],
    ['an unset secret', { jwt: { secret: undefined } }, 'exactly one of'],
    ['an empty secret', { jwt: { secret: '' } }, 'jwt.secret is empty. Set it from the environment'],
    ['a PEM as secret', { jwt: { secret: rsaPem } }, 'Give a public key as jwt.publicKey'],
    [
      'a private key as public key',
      { jwt: { publicKey: privatePem } },
      'must be the public key, not the private one',
    ],
    ['a text that is no key', { jwt: { publicKey: 'my key' } }, 'must be a PEM text'],
    ['a short RSA key', { jwt: { publicKey: shortRsa } }, 'below 2048 bits'],
    ['a key of an unknown kind', { jwt: { publicKey: edPem } }, 'no JWT algorithm here uses'],
    [
      'alg none',
      { jwt: { secret: TEST_SECRET, algorithms: ['HS256', 'none'] } },
      'must be some of HS256, HS384, HS512',
    ],
    [
      'an empty list of algorithms',
      { jwt: { secret: TEST_SECRET, algorithms: [] } },
      'jwt.algorithms must be',
    ],
    [
      'HS256 with a public key',
      { jwt: { publicKey: rsaPem, algorithms: ['RS256', 'HS256'] } },
      'must be some of RS256',
    ],
    ['RS256 with a secret', { jwt: { secret: TEST_SECRET, algorithms: ['RS256'] } }, 'must be some of HS256'],
    [
      'HS256 with a key set',
      { jwt: { jwksUri: 'https://id.example/k', algorithms: ['HS256'] } },
      'must be some of RS256',
    ],
    ['a key set that is no URL', { jwt: { jwksUri: 'keys.json' } }, 'must be the https URL'],
    ['an empty issuer', { jwt: { secret: TEST_SECRET, issuer: '' } }, 'jwt.issuer must not be empty'],
    ['an empty audience', { jwt: { secret: TEST_SECRET, audience: [] } }, 'jwt.audience must not be empty'],
    [
      'a negative tolerance',
      { jwt: { secret: TEST_SECRET, clockToleranceSeconds: -1 } },
      'clockToleranceSeconds',
    ],
  ])('%s: the app does not start, and says why', async (_what, options, message) => {
    await expect(start(options)).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining(message) as string,
    });
  });
});
