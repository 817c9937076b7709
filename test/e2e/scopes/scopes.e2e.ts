import { Injectable } from '@nestjs/common';
import type { SyncIdentity, SyncOptions } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import {
  databaseHash,
  SECRET,
  startHttpApp,
  upsert,
  type Device,
  type HttpApp,
} from '../../support/http-app';
import { Memberships } from '../../support/memberships';
import { startWhoApp } from '../../support/sync-app';

const { uri } = testDatabase(__filename);
const PROJECT = 'project:42';
const note = (id: string, text = id): object => upsert('notes', id, { text });
const idsOf = ({ changes }: { changes: readonly { doc_id: unknown }[] }): unknown[] =>
  changes.map(({ doc_id }) => doc_id);

describe('an identity with several scopes', () => {
  let app: HttpApp;
  let members: Memberships;
  let seen: SyncIdentity[];
  let scope: string;
  let ann: Device;
  let runs = 0;

  beforeAll(async () => {
    members = new Memberships();
    app = await startHttpApp(uri, {
      options: {
        scopes: members,
        authorizer: (identity) => {
          seen.push(identity);
          return true;
        },
        collections: [
          { name: 'notes', freeForm: true, ids: 'scoped' },
          { name: 'cards', freeForm: true, ids: 'scoped' },
        ],
      },
    });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    seen = [];
    scope = `${PROJECT}-${String(++runs)}`;
    ann = app.as(`b${String(runs)}`, `ann-${String(runs)}`);
    members.asked.length = 0;
  });
  const ownOf = (device: Device): string => device.scope;
  const actor = (): string => `ann-${String(runs)}`;
  const full = async (query: string): Promise<unknown[]> => {
    const { text } = await ann.send(`/sync/full?${query}`);
    const lines = text.split('\n').filter((line) => line !== '');
    return lines
      .map((line) => (JSON.parse(line) as { doc_id?: unknown }).doc_id)
      .filter((id) => id !== undefined);
  };

  it('is told of them, its own one first, and of none that it may not use', async () => {
    members.set(actor(), scope, 'write');
    members.set(actor(), 'catalog', 'read');
    members.set(actor(), 'closed', 'none');
    const { status, headers, body } = await ann.send('/sync/scopes');
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(body).toEqual({
      scopes: [
        { scope: ownOf(ann), access: 'write', own: true },
        { scope, access: 'write', own: false },
        { scope: 'catalog', access: 'read', own: false },
      ],
    });
    expect(members.asked.map(([, own]) => own)).toEqual([ownOf(ann), ownOf(ann), ownOf(ann)]);
  });

  it('writes into and reads from the one that it names, and from no other', async () => {
    members.set(actor(), scope, 'write');
    await ann.push([note('mine')]);
    const [accepted] = await ann.push([note('theirs')], { scope });
    expect(accepted).toMatchObject({ status: 'accepted', doc_id: 'theirs' });
    expect(idsOf(await ann.pull())).toEqual(['mine']);
    expect(idsOf(await ann.pull(`scope=${scope}`))).toEqual(['theirs']);
    expect(idsOf(await ann.pull(`scope=${ownOf(ann)}`))).toEqual(['mine']);
    expect(await full('')).toEqual(['mine']);
    expect(await full(`scope=${scope}`)).toEqual(['theirs']);
    const rows = await app.db.collection('notes').find({ _sync_actor_id: actor() }).toArray();
    expect(rows.map((row) => row['_sync_scope_id'] as string).sort()).toEqual([ownOf(ann), scope].sort());
  });

  it('is asked about in the app with the scope of the request, and with its own', async () => {
    members.set(actor(), scope, 'write');
    await ann.push([note('a')]);
    await ann.push([note('a')], { scope });
    await ann.pull(`scope=${scope}&collections=notes`);
    const own = { scopeId: ownOf(ann), actorId: actor() };
    expect(seen.map(({ scopeId, ownScopeId, actorId }) => ({ scopeId, ownScopeId, actorId }))).toEqual([
      { ...own, ownScopeId: undefined },
      { ...own, scopeId: scope, ownScopeId: ownOf(ann) },
      { ...own, scopeId: scope, ownScopeId: ownOf(ann) },
    ]);
    expect(members.asked).toEqual([
      [actor(), ownOf(ann), scope],
      [actor(), ownOf(ann), scope],
    ]);
  });

  it('may read one and not write to it', async () => {
    members.set('writer', scope, 'write');
    await app.as('elsewhere', 'writer').push([note('news')], { scope });
    members.set(actor(), scope, 'read');
    expect(idsOf(await ann.pull(`scope=${scope}`))).toEqual(['news']);
    const before = await databaseHash(app.db);
    const { status, body } = await ann.tryPush([note('mine')], { scope });
    expect([status, body]).toEqual([
      403,
      expect.objectContaining({
        code: 'scope_forbidden',
        path: 'scope',
        message: expect.stringContaining('only be read'),
      }),
    ]);
    expect(await databaseHash(app.db)).toBe(before);
  });

  it('cannot tell one that it may not use from one that does not exist', async () => {
    members.set('writer', scope, 'write');
    await app.as('elsewhere', 'writer').push([note('secret')], { scope });
    const answers = new Set<string>();
    for (const named of [scope, 'elsewhere', 'never-written', '__proto__']) {
      const tried = [
        await ann.send(`/sync/pull?scope=${named}`),
        await ann.send(`/sync/full?scope=${named}`),
        await ann.tryPush([note('mine')], { scope: named }),
        await ann.tryPush([{}], { scope: named }),
      ];
      for (const { status, text } of tried) answers.add(`${String(status)} ${text}`);
    }
    expect([...answers]).toEqual([expect.stringMatching(/^403 .*"code":"scope_forbidden"/)]);
  });

  it('is out at once when it loses one, also in the middle of a full resync', async () => {
    members.set(actor(), scope, 'write');
    await ann.push([note('a'), note('b')], { scope });
    const { headers } = await ann.send(`/sync/full?scope=${scope}&limit=1`);
    const next = `/sync/full?scope=${scope}&limit=1&cursor=${String(headers.get('x-sync-cursor'))}`;
    expect((await ann.send(next)).status).toBe(200);
    members.set(actor(), scope, 'none');
    for (const path of [next, `/sync/pull?scope=${scope}`])
      expect((await ann.send(path)).body).toMatchObject({ code: 'scope_forbidden' });
    expect((await ann.tryPush([note('c')], { scope })).body).toMatchObject({ code: 'scope_forbidden' });
    expect((await ann.send('/sync/pull')).status).toBe(200);
  });

  it('uses the page cursors of a scope in that scope only', async () => {
    members.set(actor(), scope, 'write');
    await ann.push([note('a'), note('b')], { scope });
    await ann.push([note('a'), note('b')]);
    const { headers } = await ann.send(`/sync/full?scope=${scope}&limit=1`);
    const cursor = String(headers.get('x-sync-cursor'));
    for (const elsewhere of ['', `scope=${ownOf(ann)}&`])
      expect((await ann.send(`/sync/full?${elsewhere}limit=1&cursor=${cursor}`)).body).toMatchObject({
        code: 'invalid_cursor',
      });
  });

  it('has its mutation ids in each scope', async () => {
    members.set(actor(), scope, 'write');
    const change = upsert('notes', 'a', { n: 1 }, { mutation_id: 'm' });
    for (const more of [{}, { scope }]) {
      const first = await ann.one(change, more);
      expect(first).toMatchObject({ status: 'accepted' });
      expect(first.replayed).toBeUndefined();
      expect(await ann.one(change, more)).toEqual({ ...first, replayed: true });
    }
  });

  it.each<[string, unknown]>([
    ['10 kB', 'x'.repeat(10_240)],
    ['257 bytes', 'ä'.repeat(128) + 'x'],
    ['a number', 42],
    ['an object', { $gt: '' }],
    ['an array', ['a']],
    ['true', true],
    ['an empty text', ''],
    ['blanks', '  '],
    ['NUL', 'a\0b'],
    ['half of a pair', '\ud800'],
  ])('that names %s is told that this is none', async (_what, named) => {
    const before = await databaseHash(app.db);
    const refused = { statusCode: 400, code: 'malformed_request', path: 'scope' };
    expect((await ann.tryPush([note('a')], { scope: named })).body).toMatchObject(refused);
    if (typeof named === 'string' && named.isWellFormed())
      for (const path of ['pull', 'full'])
        expect((await ann.send(`/sync/${path}?scope=${encodeURIComponent(named)}`)).body).toMatchObject(
          refused,
        );
    expect(await databaseHash(app.db)).toBe(before);
    expect(members.asked).toEqual([]);
  });

  it.each(['scope=a&scope=b', 'scope[]=a', 'scope[x]=a'])('cannot say %s', async (query) => {
    for (const path of ['pull', 'full'])
      expect((await ann.send(`/sync/${path}?${query}`)).body).toMatchObject({
        statusCode: 400,
        code: 'malformed_request',
        path: 'scope',
      });
  });

  it('is in no metric and no log by the names of its scopes', async () => {
    members.set(actor(), scope, 'read');
    await ann.pull(`scope=${scope}`);
    await ann.tryPush([note('a')], { scope });
    await ann.send('/sync/pull?scope=secret-of-others');
    const told = [...app.logs, await app.registry.metrics()].join('\n');
    expect(told).not.toContain(scope);
    expect(told).not.toContain('secret-of-others');
  });

  it('is entered by the app too', async () => {
    members.set(actor(), scope, 'write');
    await app.sync.transaction({ scopeId: scope, actorId: 'app' }, (tx) =>
      tx.upsert('notes', 'from-app', { n: 1 }),
    );
    expect(idsOf(await ann.pull(`scope=${scope}`))).toEqual(['from-app']);
    const identity = { scopeId: ownOf(ann), actorId: actor() };
    const page = await app.sync.pull(identity, { scope });
    expect('changes' in page && page.changes.length).toBe(1);
    await expect(app.sync.pull(identity, { scope: 'other' })).rejects.toMatchObject({
      code: 'scope_forbidden',
    });
    await expect(
      app.sync.transaction(identity, async (tx) => {
        await tx.upsert('notes', 'held', { n: 1 });
        await app.sync.push(identity, { client_id: 'c', scope: ownOf(ann), changes: [note('x')] });
      }),
    ).rejects.toMatchObject({ code: 'configuration' });
  });
});

describe('a server without the option scopes', () => {
  it('has each identity in its own scope, by name or without', async () => {
    const app = await startHttpApp(uri, {
      options: { collections: [{ name: 'plain', freeForm: true, ids: 'scoped' }] },
    });
    try {
      const bob = app.as('only', 'bob');
      await bob.push([upsert('plain', 'a', { n: 1 })], { scope: 'only' });
      expect(idsOf(await bob.pull('scope=only'))).toEqual(['a']);
      for (const answer of [
        await bob.send('/sync/pull?scope=other'),
        await bob.tryPush([{}], { scope: 'other' }),
      ])
        expect(answer.body).toMatchObject({ statusCode: 403, code: 'scope_forbidden' });
      expect((await bob.send('/sync/scopes')).body).toEqual({
        scopes: [{ scope: 'only', access: 'write', own: true }],
      });
    } finally {
      await app.close();
    }
  });
});

describe('the option scopes', () => {
  const started: HttpApp[] = [];
  afterEach(async () => {
    for (const app of started.splice(0)) await app.close();
  });
  const start = async (
    options: Partial<SyncOptions>,
    providers: NonNullable<Parameters<typeof startHttpApp>[1]>['providers'] = [],
  ): Promise<HttpApp> => {
    const app = await startHttpApp(uri, { options, providers });
    started.push(app);
    return app;
  };

  /** Starting it fails, and leaves no connection behind. */
  const refused = (options: Partial<SyncOptions>): Promise<unknown> =>
    startWhoApp(uri, { jwt: { secret: SECRET }, metricsEnabled: false, ...options });

  it('takes a class of the app’s providers', async () => {
    @Injectable()
    class Table {
      readonly level = 'write';
    }
    @Injectable()
    class TeamScopes {
      constructor(private readonly table: Table) {}
      list(): string[] {
        return ['team'];
      }
      access(): 'write' {
        return this.table.level;
      }
    }
    const app = await start({ scopes: TeamScopes }, [Table, TeamScopes]);
    expect((await app.as('a').send('/sync/scopes')).body).toMatchObject({
      scopes: [{ scope: 'a' }, { scope: 'team', access: 'write', own: false }],
    });
  });

  it.each<[string, unknown]>([
    ['a function', () => 'write'],
    ['an object that lacks access', { list: () => [] }],
    [
      'a class that lacks list',
      class {
        access = 1;
      },
    ],
    ['a text', 'team'],
  ])('refuses %s at startup, and says what it takes', async (_what, scopes) => {
    await expect(refused({ scopes: scopes as never })).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(/option scopes: .*list and access/) as string,
    });
  });

  it('of a collection needs kinds that somebody gives', async () => {
    const collections = [{ name: 'notes', freeForm: true, scopes: ['team'] }];
    await expect(refused({ collections })).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('kind') as string,
    });
    for (const bad of [[], 'team', [1], ['']])
      await expect(
        refused({ collections: [{ name: 'notes', freeForm: true, scopes: bad as never }] }),
      ).rejects.toMatchObject({
        code: 'configuration',
        path: 'collections.notes.scopes',
      });
  });
});
