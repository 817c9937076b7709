import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import mongoose from 'mongoose';
import { BehaviorSubject, EMPTY, of, throwError } from 'rxjs';
import type { SyncCollectionOptions, SyncOptions, SyncRequest } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const { ObjectId } = mongoose.mongo;
const { uri } = testDatabase(__filename);
const open: HttpApp[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

let count = 0;
async function start(
  collection: Partial<SyncCollectionOptions>,
  options: Partial<SyncOptions> = {},
): Promise<HttpApp> {
  const name = `docs-${String(++count)}`;
  const app = await startHttpApp(uri, {
    options: {
      collections: [{ name, freeForm: true, ids: 'scoped', ...collection }],
      ...options,
    },
  });
  open.push(app);
  return app;
}
const named = (): string => `docs-${String(count)}`;
const told = ({ logs }: HttpApp, words: RegExp): string[] => logs.filter((line) => words.test(line));

describe('an authorizer', () => {
  it.each<[string, () => unknown]>([
    ['true', () => true],
    ['a promise of true', () => Promise.resolve(true)],
    ['an Observable of true', () => of(true)],
    ['an Observable whose last value is true', () => of(false, true)],
    ['a thenable', () => ({ then: (resolve: (value: boolean) => void) => resolve(true) })],
  ])('allows by %s', async (_what, authorizer) => {
    const app = await start({ authorizer: authorizer as never });
    const device = app.as('a');
    expect((await device.one(upsert(named(), 'x', { n: 1 }))).status).toBe('accepted');
    expect((await device.send(`/sync/pull?collections=${named()}`)).status).toBe(200);
    expect(told(app, /authorizer/)).toEqual([]);
  });

  it.each<[string, () => unknown, RegExp | undefined]>([
    ['false', () => false, undefined],
    ['an Observable of false', () => of(false), undefined],
    ['an Observable that says no in the end', () => of(true, false), undefined],
    ['a promise of an Observable of false', () => Promise.resolve(of(false)), undefined],
    ['an object', () => ({ allowed: false }), /an object/],
    ['a text', () => 'denied', /a text/],
    ['a function', () => () => true, /a function/],
    ['a promise of a number', () => Promise.resolve(1), /a number/],
    ['nothing', () => undefined, /nothing/],
    ['an Observable without a value', () => EMPTY, /nothing/],
    ['an Observable of an object', () => of({}), /an object/],
  ])('refuses by %s, and says what is wrong with it once', async (_what, authorizer, words) => {
    const app = await start({ authorizer: authorizer as never });
    const device = app.as('a');
    expect((await device.one(upsert(named(), 'x', { n: 1 }))).code).toBe('forbidden');
    expect((await device.send(`/sync/pull?collections=${named()}`)).status).toBe(403);
    const lines = told(app, /authorizer/);
    if (words === undefined) expect(lines).toEqual([]);
    else {
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(words);
      expect(lines[0]).toMatch(/Return true, false, or a promise or an Observable/);
    }
  });

  it('that never comes to an end is no yes: 503, and the log says what to do', async () => {
    const app = await start({ authorizer: () => new BehaviorSubject(true) }, { retryDeadlineMs: 100 });
    const answer = await app.as('a').send(`/sync/pull?collections=${named()}`);
    expect([answer.status, answer.body]).toEqual([503, expect.objectContaining({ code: 'unavailable' })]);
    expect(told(app, /take\(1\)/)).toHaveLength(1);
  });

  it('whose Observable fails refuses the request', async () => {
    const app = await start({ authorizer: () => throwError(() => new Error('s3cr3t')) });
    const answer = await app.as('a').send(`/sync/pull?collections=${named()}`);
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('s3cr3t');
  });
});

describe("the app's guard", () => {
  it.each<[string, () => unknown, number, RegExp | undefined]>([
    ['an Observable of true', () => of(true), 200, undefined],
    ['an object', () => ({ allowed: false }), 403, /guard AnsweringGuard answered an object/],
    ['the user', () => ({ user_id: 'a' }), 403, /answered an object/],
    ['a promise of a text', () => Promise.resolve('yes'), 403, /answered a text/],
    ['an Observable of an Observable', () => of(of(true)), 403, /answered an Observable/],
    ['a function', () => () => true, 403, /answered a function/],
  ])('that answers %s', async (_what, answer, status, words) => {
    @Injectable()
    class AnsweringGuard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        context.switchToHttp().getRequest<SyncRequest>().user = { user_id: 'a' };
        return answer() as boolean;
      }
    }
    const app = await start({}, { jwt: undefined, guard: AnsweringGuard, scopeIdField: 'user_id' });
    for (let n = 0; n < 2; n++) expect((await app.send('/sync/pull')).status).toBe(status);
    expect(told(app, words ?? /guard/)).toHaveLength(words ? 1 : 0);
  });
});

describe('a resolver of ids', () => {
  it.each<[string, unknown, number]>([
    ['zero', 0, 200],
    ['an ObjectId', new ObjectId(), 200],
    ['a promise of a text', Promise.resolve('t'), 200],
    ['NaN', NaN, 403],
    ['an empty text', '', 403],
    ['an enormous text', 'x'.repeat(300), 403],
    ['a big integer', 5n, 403],
    ['a boolean', true, 403],
    ['an array', ['t'], 403],
    ['an object', { id: 't' }, 403],
    ['a Date', new Date(0), 403],
    ['a boxed text', Object('t'), 403],
    ['a symbol', Symbol('t'), 403],
    ['a function', () => 't', 403],
    ['an Observable', of('t'), 403],
  ])('that gives %s', async (_what, id, status) => {
    const app = await start({}, { scopeIdResolver: (() => id) as never });
    const answer = await app.as('a').send('/sync/pull');
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer.body).toMatchObject({ code: 'scope_missing' });
    // What a user lacks is the user's; a value of another kind is the app's mistake, and its log says so.
    const isMistake = status === 403 && typeof id !== 'string' && typeof id !== 'number';
    expect(told(app, /scopeIdResolver/)).toHaveLength(isMistake ? 1 : 0);
  });

  it('a user out of an Observable gets nobody in, and the log says why', async () => {
    const app = await start({}, { user: () => of({ user_id: 'a', business_id: 'b' }) });
    expect((await app.as('a').send('/sync/pull')).status).toBe(403);
    expect(told(app, /option user gave an Observable: return a promise or a value/)).toHaveLength(1);
  });
});

describe('the end of credentials', () => {
  it.each<[string, unknown]>([
    ['a number', Date.now() + 60_000],
    ['a text', '2099-01-01T00:00:00Z'],
    ['an invalid Date', new Date(NaN)],
    ['a promise', Promise.resolve(new Date())],
  ])('that is %s lets nobody in: such credentials would never end', async (_what, end) => {
    const app = await start({}, { expiresAt: (() => end) as never });
    const answer = await app.as('a').send('/sync/pull');
    expect([answer.status, answer.body]).toEqual([500, expect.objectContaining({ code: 'configuration' })]);
    expect(told(app, /option expiresAt gave/)).not.toHaveLength(0);
  });

  it.each([[undefined], [null], [new Date(Date.now() + 60_000)]])('may be %p', async (end) => {
    const app = await start({}, { expiresAt: (() => end) as never });
    expect((await app.as('a').send('/sync/pull')).status).toBe(200);
  });
});

class Line {
  constructor(readonly n: number) {}
}

describe('a transform', () => {
  it.each<[string, unknown]>([
    ['a Date', new Date()],
    ['a Map', new Map([['n', 2]])],
    ['a Set', new Set([2])],
    ['an array', [{ n: 2 }]],
    ['an instance', new Line(2)],
    ['a Proxy', new Proxy({ n: 2 }, {})],
    ['a text', '{"n": 2}'],
    ['false', false],
    ['an Observable', of({ n: 2 })],
    ['a function', () => ({ n: 2 })],
  ])('that gives %s rejects that change, and the log says so once', async (_what, answer) => {
    const app = await start({
      transform: ((_: string, data: { n: number }) => (data.n === 1 ? answer : data)) as never,
    });
    const device = app.as(`s${String(count)}`);
    for (const id of ['x', 'y'])
      expect(await device.one(upsert(named(), id, { n: 1 }))).toMatchObject({
        code: 'invalid_data',
        error: expect.stringMatching(/transform of this collection gave/) as string,
      });
    expect((await device.one(upsert(named(), 'x', { n: 3 }))).status).toBe('accepted');
    expect(told(app, /transform gave/)).toHaveLength(1);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a promise of nothing', Promise.resolve(undefined)],
  ])('that gives %s keeps the data', async (_what, answer) => {
    const app = await start({ transform: (() => answer) as never });
    const device = app.as(`s${String(count)}`);
    await device.one(upsert(named(), 'x', { n: 1 }));
    expect((await device.read(named(), 'x'))?.data).toEqual({ n: 1 });
  });
});

describe('a conflict resolver', () => {
  it.each<[string, unknown]>([
    ['a Date', new Date()],
    ['a promise of a Map', Promise.resolve(new Map([['n', 9]]))],
    ['an array', []],
    ['nothing', undefined],
    ['an ObjectId', new ObjectId()],
    ['an Observable', of({ n: 9 })],
    ['a function', () => ({ n: 9 })],
    [
      'an instance that hides what it has',
      new (class {
        get n(): number {
          return 9;
        }
      })(),
    ],
  ])('that gives %s leaves the document as it was, and the log says so', async (_what, answer) => {
    const app = await start({ resolver: (() => answer) as never });
    const device = app.as(`s${String(count)}`);
    const first = await device.one(upsert(named(), 'x', { n: 1 }));
    await device.one(upsert(named(), 'x', { n: 2 }, { parent_version: first.new_version }));
    const late = await device.one(upsert(named(), 'x', { n: 3 }, { parent_version: first.new_version }));
    expect(late).toMatchObject({ status: 'rejected', code: 'resolver_failed' });
    expect((await device.read(named(), 'x'))?.data).toEqual({ n: 2 });
    expect(told(app, /resolver gave .* where a document was expected/)).toHaveLength(1);
  });

  it.each<[string, unknown, unknown]>([
    ['null, to delete it', null, null],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { n: 9 }), { n: 9 }],
    ['an instance with fields', new Line(9), { n: 9 }],
  ])('may give %s', async (_what, answer, data) => {
    const app = await start({ resolver: (() => answer) as never });
    const device = app.as(`s${String(count)}`);
    const first = await device.one(upsert(named(), 'x', { n: 1 }));
    await device.one(upsert(named(), 'x', { n: 2 }, { parent_version: first.new_version }));
    await device.one(upsert(named(), 'x', { n: 3 }, { parent_version: first.new_version }));
    expect((await device.read(named(), 'x'))?.data).toEqual(data);
  });
});

describe('what the app writes itself', () => {
  it.each<[string, unknown]>([
    ['a Date', new Date()],
    ['a Map', new Map([['n', 1]])],
    ['an ObjectId', new ObjectId()],
    ['a promise', Promise.resolve({ n: 1 })],
  ])('is not %s', async (_what, data) => {
    const app = await start({});
    const who = { scopeId: `s${String(count)}`, actorId: 'clerk' };
    await app.sync.transaction(who, (tx) => tx.upsert(named(), 'x', { n: 1 }));
    const bad = app.sync.transaction(who, (tx) => tx.upsert(named(), 'x', data as object));
    await expect(bad).rejects.toMatchObject({ code: 'invalid_data' });
    const record = app.sync.recordServerChange({
      collection: named(),
      docId: 'x',
      operation: 'upsert',
      identity: who,
      data: data as object,
    });
    await expect(record).rejects.toMatchObject({ code: 'invalid_data' });
    expect((await app.as(who.scopeId).read(named(), 'x'))?.data).toEqual({ n: 1 });
  });
});
