import { ForbiddenException } from '@nestjs/common';
import { BehaviorSubject, EMPTY, of, throwError } from 'rxjs';
import type { ScopesAnswer, ScopesPort, SyncOptions } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const { uri } = testDatabase(__filename);
const open: HttpApp[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

async function start(
  scopes: Partial<Record<keyof ScopesPort, unknown>>,
  options: Partial<SyncOptions> = {},
): Promise<HttpApp> {
  const port = { list: () => ['team'], access: () => 'write', ...scopes } as unknown as ScopesPort;
  const collections = [{ name: 'notes', freeForm: true, ids: 'scoped' } as const];
  const app = await startHttpApp(uri, { options: { collections, scopes: port, ...options } });
  open.push(app);
  return app;
}
const told = ({ logs }: HttpApp, words: RegExp): string[] => logs.filter((line) => words.test(line));
const listed = async (app: HttpApp): Promise<ScopesAnswer['scopes']> =>
  ((await app.as('a').send('/sync/scopes')).body as ScopesAnswer).scopes;

describe('access', () => {
  it.each<[string, () => unknown, number]>([
    ['write', () => 'write', 200],
    ['a promise of read', () => Promise.resolve('read'), 200],
    ['an Observable whose last value is read', () => of('none', 'read'), 200],
    ['none', () => 'none', 403],
    ['a promise of none', () => Promise.resolve('none'), 403],
    ['an Observable that says none in the end', () => of('write', 'none'), 403],
    [
      'a ForbiddenException',
      () => {
        throw new ForbiddenException();
      },
      403,
    ],
  ])('that answers %s is taken at its word', async (_what, access, status) => {
    const app = await start({ access });
    expect((await app.as('a').send('/sync/pull?scope=team')).status).toBe(status);
    expect(told(app, /option scopes/)).toEqual([]);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['true', () => true, /a boolean/],
    ['another text', () => 'admin', /a text/],
    ['Write', () => 'Write', /a text/],
    ['nothing', () => undefined, /nothing/],
    ['null', () => null, /null/],
    ['an array', () => ['write'], /an array/],
    ['an object', () => ({ write: true }), /an object/],
    ['a text in an object', () => new String('write'), /a String/],
    ['an Observable without a value', () => EMPTY, /nothing/],
    ['a function', () => () => 'write', /a function/],
    ['a promise of a number', () => Promise.resolve(2), /a number/],
  ])('that answers %s lets nobody in, and the log says so once', async (_what, access, words) => {
    const app = await start({ access });
    const device = app.as('a');
    for (let n = 0; n < 2; n++)
      expect((await device.tryPush([upsert('notes', 'x', {})], { scope: 'team' })).body).toMatchObject({
        code: 'scope_forbidden',
      });
    expect(await listed(app)).toHaveLength(1);
    const lines = told(app, /option scopes: access/);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(words);
    expect(lines[0]).toMatch(/'none', 'read' and 'write'/);
  });

  it('that never comes to an end is no yes', async () => {
    const app = await start({ access: () => new BehaviorSubject('write') }, { retryDeadlineMs: 100 });
    for (const path of ['/sync/pull?scope=team', '/sync/scopes'])
      expect((await app.as('a').send(path)).body).toMatchObject({ statusCode: 503, code: 'unavailable' });
    expect((await app.as('a').send('/sync/pull')).status).toBe(200);
  });

  it('that fails refuses the request, and leaves nothing out of a list', async () => {
    const app = await start({ access: () => throwError(() => new Error('s3cr3t')) });
    for (const path of ['/sync/pull?scope=team', '/sync/scopes']) {
      const answer = await app.as('a').send(path);
      expect(answer.status).toBe(500);
      expect(answer.text).not.toContain('s3cr3t');
    }
  });

  it('is asked about as few scopes at once as a database bears', async () => {
    let [running, most] = [0, 0];
    const app = await start({
      list: () => Array.from({ length: 200 }, (_, n) => `team-${String(n)}`),
      access: async () => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running -= 1;
        return 'read';
      },
    });
    expect(await listed(app)).toHaveLength(201);
    expect(most).toBe(16);
  });
});

describe('a list of scopes', () => {
  it('may come later, and names each once, and the own one without being asked', async () => {
    for (const list of [() => Promise.resolve(['t', 'a', 't']), () => of(['t', 'a', 't'])]) {
      const app = await start({ list });
      expect((await listed(app)).map(({ scope }) => scope)).toEqual(['a', 't']);
    }
  });

  it.each<[string, unknown, RegExp]>([
    ['a text', 'team', /a text/],
    ['a Set', new Set(['team']), /a Set/],
    ['nothing', undefined, /nothing/],
    ['an object', { length: 1, 0: 'team' }, /an object/],
  ])('that is %s lists the own scope alone', async (_what, list, words) => {
    const app = await start({ list: () => list });
    for (let n = 0; n < 2; n++) expect((await listed(app)).map(({ scope }) => scope)).toEqual(['a']);
    expect(told(app, /option scopes: list/)).toEqual([expect.stringMatching(words)]);
  });

  it('is rid of what can be no scope', async () => {
    const app = await start({
      list: () => [1, null, {}, '', 'x'.repeat(257), 'a\0b', '\ud800', ['team'], 'team'],
    });
    expect((await listed(app)).map(({ scope }) => scope)).toEqual(['a', 'team']);
    expect(told(app, /option scopes: list/)).toHaveLength(1);
  });

  it('of 100,000 is cut where limits.maxScopes says, and the log says so', async () => {
    let asked = 0;
    const app = await start(
      {
        list: () => Array.from({ length: 100_000 }, (_, n) => `team-${String(n)}`),
        access: () => ((asked += 1), 'read'),
      },
      { limits: { maxScopes: 50 } },
    );
    expect(await listed(app)).toHaveLength(51);
    expect(asked).toBe(50);
    expect(told(app, /limits\.maxScopes/)).toHaveLength(1);
  });
});

describe('kinds of scopes', () => {
  const kind = (scope: string): string => scope.split(':')[0] ?? '';
  const collections = [
    { name: 'plans', freeForm: true, ids: 'scoped', scopes: ['project'] },
    { name: 'diary', freeForm: true, ids: 'scoped', scopes: ['user', 'me'] },
    { name: 'everywhere', freeForm: true, ids: 'scoped' },
  ] as const;
  const put = (name: string): object => upsert(name, 'x', { n: 1 });

  it('keep a collection out of scopes that it does not live in', async () => {
    const app = await start({ kind }, { collections });
    const device = app.as('me:1');
    expect(await listed(app)).toMatchObject([
      { scope: 'a', kind: 'a' },
      { scope: 'team', kind: 'team' },
    ]);
    const results = await device.push([put('plans'), put('diary'), put('everywhere')], {
      atomic: 'mutation',
    });
    expect(results.map(({ status, code }) => code ?? status)).toEqual([
      'wrong_scope',
      'accepted',
      'accepted',
    ]);
    const there = { scope: 'project:1', atomic: 'mutation' };
    const others = await device.push([put('plans'), put('diary'), put('everywhere')], there);
    expect(others.map(({ status, code }) => code ?? status)).toEqual(['accepted', 'wrong_scope', 'accepted']);
    const rolledBack = await device.push([upsert('everywhere', 'y', {}), put('diary')], {
      scope: 'project:1',
    });
    expect(rolledBack.map(({ code }) => code)).toEqual(['batch_rolled_back', 'wrong_scope']);
  });

  it('leave a collection out of reads there, also where it is named', async () => {
    const app = await start({ kind }, { collections });
    const device = app.as('me:2');
    const scope = 'project:2';
    await device.push([put('plans'), put('everywhere')], { scope });
    const names = async (query: string): Promise<string[]> =>
      (await device.pull(`scope=${scope}&${query}`)).changes.map(({ collection }) => collection);
    expect(await names('')).toEqual(['plans', 'everywhere']);
    expect(await names('collections=diary,everywhere')).toEqual(['everywhere']);
    expect(await names('collections=diary')).toEqual([]);
    const query = `scope=${scope}&limit=1&collections=diary,plans,everywhere`;
    const first = await device.send(`/sync/full?${query}`);
    const second = await device.send(
      `/sync/full?${query}&cursor=${String(first.headers.get('x-sync-cursor'))}`,
    );
    expect(
      [first, second].map(
        ({ text }) => (JSON.parse(text.split('\n')[0]!) as { collection: string }).collection,
      ),
    ).toEqual(['plans', 'everywhere']);
    expect((await device.send(`/sync/full?scope=${scope}&collections=diary`)).text).toMatch(/^\{"end":true/);
  });

  it('hold for the app’s own writes', async () => {
    const app = await start({ kind }, { collections });
    const identity = { scopeId: 'project:3', actorId: 'app' };
    await expect(app.sync.transaction(identity, (tx) => tx.upsert('diary', 'x', {}))).rejects.toMatchObject({
      code: 'wrong_scope',
    });
    await expect(
      app.sync.recordServerChange({
        collection: 'diary',
        docId: 'x',
        operation: 'upsert',
        data: {},
        identity,
      }),
    ).rejects.toMatchObject({ code: 'wrong_scope' });
    await app.sync.transaction(identity, (tx) => tx.upsert('plans', 'x', {}));
  });

  it.each<[string, unknown]>([
    ['a promise', Promise.resolve('project')],
    ['nothing', undefined],
    ['an empty text', ''],
  ])('that are %s are none, and the log says so', async (_what, answer) => {
    const app = await start({ kind: () => answer }, { collections });
    const device = app.as(`a${String(open.length)}-${_what}`);
    expect((await device.one(put('plans'))).code).toBe('wrong_scope');
    expect((await device.one(put('everywhere'))).status).toBe('accepted');
    expect(told(app, /option scopes: kind/)).toHaveLength(1);
  });
});
