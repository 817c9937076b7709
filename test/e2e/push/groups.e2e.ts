import { Schema } from 'mongoose';
import type { PushResult } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { Device, startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const { uri } = testDatabase(__filename);
const codes = (results: readonly PushResult[]): unknown[] =>
  results.map(({ code, status }) => code ?? status);
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe('groups of a push', () => {
  let app: HttpApp;
  let scopes = 0;
  let scope: string;
  let device: Device;
  let asked: string[] = [];

  beforeAll(async () => {
    const customer = new Schema({ _id: String, email: String }, { versionKey: false });
    customer.index(
      { _sync_scope_id: 1, email: 1 },
      { unique: true, partialFilterExpression: { _sync_deleted: false } },
    );
    const checked = new Schema(
      { _id: String, n: { type: Number, validate: async (n: number) => Promise.resolve(n < 100) } },
      { versionKey: false },
    );
    app = await startHttpApp(uri, {
      models: [
        { name: 'Customer', schema: customer },
        { name: 'Checked', schema: checked },
      ],
      options: {
        collections: [
          'customers',
          'checkeds',
          { name: 'notes', freeForm: true, ids: 'scoped', conflict: 'reject-stale' },
          {
            name: 'sums',
            freeForm: true,
            ids: 'scoped',
            resolver: ({ docId, current, change }) => {
              asked.push(String(docId));
              if (change.data?.['n'] === -1) throw new Error('no');
              return { n: Number(current?.['n']) + Number(change.data?.['n']) };
            },
          },
        ],
      },
    });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    scopes += 1;
    scope = `s${String(scopes)}`;
    device = app.as(scope);
    asked = [];
  });

  let mutations = 0;
  const put = (group: unknown, id: string, data: object, more: object = {}): object =>
    upsert('notes', id, data, {
      mutation_id: `m${String(mutations++)}`,
      ...(group === undefined ? {} : { group }),
      ...more,
    });
  const customer = (group: unknown, id: string, email: string): object =>
    put(group, `${scope}-${id}`, { email }, { collection: 'customers' });
  const bad = (group: unknown, id = 'bad'): object => put(group, id, { $n: 1 });
  const logged = async (): Promise<unknown[]> =>
    (await device.pull('limit=1000')).changes.map(({ doc_id }) => doc_id);

  it('stand or fall each by itself; what has no group stands alone', async () => {
    const results = await device.push([
      put('one', 'a', {}),
      put('one', 'b', {}),
      put(2, 'c', {}),
      bad(2),
      bad(undefined, 'alone'),
      put(undefined, 'd', {}),
      put('three', 'e', {}),
    ]);
    expect(codes(results)).toEqual([
      'accepted',
      'accepted',
      'batch_rolled_back',
      'forbidden_key',
      'forbidden_key',
      'accepted',
      'accepted',
    ]);
    expect(results[2]!.error).toContain('group "2"');
    expect(await logged()).toEqual(['a', 'b', 'd', 'e']);
  });

  it('are one with atomic batch, and theirs with atomic mutation', async () => {
    const changes = [put('one', 'a', {}), put('two', 'b', {}), bad('two')];
    expect(codes(await device.push(changes, { atomic: 'batch' }))).toEqual([
      'batch_rolled_back',
      'batch_rolled_back',
      'forbidden_key',
    ]);
    expect(await logged()).toEqual([]);
    expect(codes(await device.push(changes, { atomic: 'mutation' }))).toEqual([
      'accepted',
      'batch_rolled_back',
      'forbidden_key',
    ]);
  });

  it.each<[string, unknown[], string]>([
    ['that ends and goes on', ['a', 'b', 'a'], 'changes[2].group'],
    ['that is interrupted', ['a', undefined, 'a'], 'changes[2].group'],
    ['that is the same as a number', [1, 'x', '1'], 'changes[2].group'],
    ['without a name', ['a', ''], 'changes[1].group'],
    ['with a name of 129 bytes', ['x'.repeat(129)], 'changes[0].group'],
    ['that is an object', [{}], 'changes[0].group'],
    ['that is a fraction', [1.5], 'changes[0].group'],
  ])('%s are a malformed request, and nothing is written', async (_what, groups, path) => {
    const answer = await device.tryPush(groups.map((group, n) => put(group, `d${String(n)}`, {})));
    expect([answer.status, answer.body]).toEqual([
      400,
      expect.objectContaining({ code: 'malformed_request', path }),
    ]);
    expect(await logged()).toEqual([]);
  });

  it('fall with an earlier one that they build on, and so on, but no other does', async () => {
    const results = await device.push([
      put('one', 'a', { half: 1 }),
      bad('one'),
      put('two', 'a', { half: 1, more: 1 }),
      put('two', 'b', {}),
      put('three', 'c', {}),
      put(undefined, 'b', { more: 1 }),
      put('four', 'b', { even: 'more' }),
      put('four', 'd', {}),
      put('five', 'bad', { fine: 1 }),
    ]);
    expect(codes(results)).toEqual([
      'batch_rolled_back',
      'forbidden_key',
      'parent_refused',
      'batch_rolled_back',
      'accepted',
      'parent_refused',
      'parent_refused',
      'batch_rolled_back',
      'parent_refused',
    ]);
    expect(await logged()).toEqual(['c']);
  });

  it('keep of a refused one only the receipt of its refusal', async () => {
    const first = [
      put('g', 'a', {}),
      put('g', 'b', { n: 1 }, { parent_version: '19800101T000000.000Z-0000-x' }),
    ];
    await device.one(upsert('notes', 'b', { n: 0 }));
    expect(codes(await device.push(first))).toEqual(['batch_rolled_back', 'conflict_stale']);
    const results = await device.push(first);
    expect(results.map(({ code, replayed }) => [code, replayed])).toEqual([
      ['batch_rolled_back', undefined],
      ['conflict_stale', true],
    ]);
    expect(codes(await device.push([first[0]!, put('g', 'c', {})]))).toEqual(['accepted', 'accepted']);
  });

  it('that a unique index refuses fall alone, however many', async () => {
    await device.one(customer(undefined, 'taken', 'taken@x'));
    const changes = range(60).flatMap((n) => [
      customer(`g${String(n)}`, `f${String(n)}`, `free${String(n)}@x`),
      customer(`g${String(n)}`, `t${String(n)}`, n % 3 === 0 ? 'taken@x' : `own${String(n)}@x`),
    ]);
    const results = await device.push(changes);
    range(60).forEach((n) => {
      expect(codes(results.slice(2 * n, 2 * n + 2))).toEqual(
        n % 3 === 0 ? ['batch_rolled_back', 'unique_violation'] : ['accepted', 'accepted'],
      );
    });
  });

  it('leave a value free that they wanted and did not get in the end', async () => {
    await device.one(customer(undefined, 'taken', 'taken@x'));
    const results = await device.push([
      customer('falls', 'f1', 'wanted@x'),
      customer('falls', 'f2', 'taken@x'),
      customer('stands', 's1', 'wanted@x'),
      customer('late', 'l1', 'wanted@x'),
      customer('late', 'l2', 'other@x'),
      customer('last', 'z1', 'other@x'),
    ]);
    expect(codes(results)).toEqual([
      'batch_rolled_back',
      'unique_violation',
      'accepted',
      'unique_violation',
      'batch_rolled_back',
      'accepted',
    ]);
  });

  it('wait for validators and resolvers of the app, and fall by their word alone', async () => {
    await device.push(range(3).map((n) => upsert('sums', `s${String(n)}`, { n: 1 })));
    const sum = (group: string, id: string, n: number): object =>
      put(group, id, { n }, { collection: 'sums' });
    const check = (group: string, id: string, n: number): object =>
      put(group, `${scope}-${id}`, { n }, { collection: 'checkeds' });
    const results = await device.push([
      sum('one', 's0', 2),
      check('one', 'c0', 7),
      sum('two', 's1', -1),
      check('two', 'c1', 7),
      check('three', 'c2', 700),
      sum('three', 's2', 2),
      sum('four', 's0', 3),
      sum('five', 's1', 3),
    ]);
    expect(codes(results)).toEqual([
      'conflict_resolved',
      'accepted',
      'resolver_failed',
      'batch_rolled_back',
      'validation_failed',
      'batch_rolled_back',
      'conflict_resolved',
      'parent_refused',
    ]);
    expect((await device.read('sums', 's0'))?.data).toEqual({ n: 6 });
    expect((await device.read('sums', 's1'))?.data).toEqual({ n: 1 });
  });

  it('of a thousand are one push', async () => {
    const changes = range(500).flatMap((n) => [
      put(`g${String(n)}`, `a${String(n)}`, { n }),
      n % 5 === 0 ? bad(`g${String(n)}`, `b${String(n)}`) : put(`g${String(n)}`, `b${String(n)}`, { n }),
    ]);
    const results = await device.push(changes);
    expect(results.filter(({ status }) => status === 'accepted')).toHaveLength(800);
    expect((await device.tryPush(range(10_000).map((n) => put(n, String(n), {})))).body).toMatchObject({
      code: 'too_many_changes',
    });
  });
});
