import { Schema } from 'mongoose';
import type { PushResult } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { Device, startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const { uri } = testDatabase(__filename);

/** One process of the cluster: the business rule is the app's own unique index, scope first. */
function start(): Promise<HttpApp> {
  const customer = new Schema({ _id: String, email: String }, { versionKey: false });
  customer.index(
    { _sync_scope_id: 1, email: 1 },
    { unique: true, partialFilterExpression: { _sync_deleted: false } },
  );
  return startHttpApp(uri, {
    models: [{ name: 'Customer', schema: customer }],
    options: { collections: ['customers', { name: 'notes', freeForm: true, ids: 'scoped' }] },
  });
}

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const note = (id: string, data: object, more: object = {}): object =>
  upsert('notes', id, data, { mutation_id: `m-${id}`, ...more });
const first = ({ replayed: _, ...rest }: PushResult): object => rest;

describe('a mutation that is sent again', () => {
  let app: HttpApp;
  let other: HttpApp;
  let scopes = 0;
  let scope: string;
  let device: Device;

  beforeAll(async () => {
    app = await start();
    other = await start();
  });
  afterAll(async () => {
    await app.close();
    await other.close();
  });
  beforeEach(() => {
    scopes += 1;
    scope = `s${String(scopes)}`;
    device = app.as(scope);
  });
  const logged = async (): Promise<unknown[]> =>
    (await device.pull('limit=1000')).changes.map(({ doc_id }) => doc_id);

  it('gets its first answer, alone and in a batch', async () => {
    const single = await device.one(note('a', { n: 1 }));
    expect(await device.one(note('a', { n: 1 }))).toEqual({ ...single, replayed: true });
    const batch = [note('b', { n: 1 }), note('c', { n: 1 }), note('b', { n: 2 }, { mutation_id: 'm-b2' })];
    const results = await device.push(batch);
    const again = await device.push(batch);
    expect(again.map(first)).toEqual(results);
    expect(again.every(({ replayed }) => replayed)).toBe(true);
    expect(await logged()).toEqual(['a', 'b', 'c', 'b']);
    expect((await device.read('notes', 'b'))?.data).toEqual({ n: 2 });
  });

  it('gets it also among other mutations, and twice in one request', async () => {
    const [a, b] = await device.push([note('a', { n: 1 }), note('b', { n: 1 })]);
    const results = await device.push([
      note('c', {}),
      note('b', { n: 1 }),
      note('d', {}),
      note('d', {}),
      note('a', { n: 1 }),
    ]);
    expect(results.map(({ replayed }) => replayed ?? false)).toEqual([false, true, false, true, true]);
    expect(results.map(({ status }) => status)).toEqual(Array(5).fill('accepted'));
    expect([results[4]?.new_version, results[1]?.new_version]).toEqual([a?.new_version, b?.new_version]);
    expect(await logged()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is known by its content, not by the order of its keys or the app that it meets', async () => {
    const { new_version } = await device.one(note('a', { x: 1, in: { y: 1, z: [1] } }));
    const elsewhere = other.as(scope);
    const same = await elsewhere.one(note('a', { in: { z: [1], y: 1 }, x: 1 }));
    expect(same).toMatchObject({ status: 'accepted', new_version, replayed: true });
    for (const changed of [
      note('a', { x: 2 }),
      note('z', { x: 1 }, { mutation_id: 'm-a' }),
      { ...note('a', {}), operation: 'delete' },
    ])
      expect(await elsewhere.one(changed)).toMatchObject({
        status: 'rejected',
        code: 'mutation_id_reused',
        new_version: null,
      });
    expect(await logged()).toEqual(['a']);
  });

  it('is another one when another client sends it', async () => {
    const tablet = new Device((path, init) => app.send(path, init), scope, 'ann', 'tablet');
    const { new_version } = await device.one(note('a', {}));
    const theirs = await tablet.one(note('a', { theirs: 1 }, { parent_version: new_version }));
    expect(theirs).toMatchObject({ status: 'accepted' });
    expect(theirs.replayed).toBeUndefined();
    expect(await logged()).toEqual(['a', 'a']);
  });

  it('after a batch that was rolled back counts as new', async () => {
    const bad = upsert('notes', 'bad', { $set: 1 }, { mutation_id: 'm-bad' });
    for (const changes of [
      [note('a', {}), bad],
      [bad, note('a', {})],
    ]) {
      const results = await device.push(changes);
      expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    }
    const fixed = await device.push([
      note('a', {}),
      upsert('notes', 'bad', { fine: 1 }, { mutation_id: 'm-bad' }),
    ]);
    expect(fixed.map(({ status, replayed }) => [status, replayed])).toEqual([
      ['accepted', undefined],
      ['accepted', undefined],
    ]);
    expect(await logged()).toEqual(['a', 'bad']);
  });

  it('takes effect once, however many send it concurrently to two processes', async () => {
    const batches = range(24).map((n) =>
      [n % 6, (n + 1) % 6, (n + 2) % 6].map((at) => note(`k${String(at)}`, { at })),
    );
    const answers = await Promise.all(batches.map((batch, n) => (n % 2 ? app : other).as(scope).push(batch)));
    const versions = new Map<unknown, Set<unknown>>();
    for (const { doc_id, status, new_version } of answers.flat()) {
      expect(status).toBe('accepted');
      versions.set(doc_id, (versions.get(doc_id) ?? new Set()).add(new_version));
    }
    expect([...versions.values()].map(({ size }) => size)).toEqual(range(6).map(() => 1));
    expect(answers.flat().filter(({ replayed }) => !replayed)).toHaveLength(6);
    expect((await logged()).sort()).toEqual(range(6).map((n) => `k${String(n)}`));
  });

  it('is known after a restart', async () => {
    const before = await device.push([note('a', { n: 1 }), note('b', { n: 1 })]);
    await app.close();
    app = await start();
    device = app.as(scope);
    const after = await device.push([note('a', { n: 1 }), note('b', { n: 1 }), note('c', {})]);
    expect(after.slice(0, 2).map(first)).toEqual(before);
    expect(await logged()).toEqual(['a', 'b', 'c']);
  });

  describe('with a unique index of the app', () => {
    const customer = (id: string, email: string, more: object = {}): object =>
      upsert('customers', `${scope}-${id}`, { email }, more);

    it('rejects the one mutation that breaks it, and the pushes of others go through', async () => {
      await device.one(customer('1', 'taken@x.org'));
      const pushes = range(20).map((n) =>
        device.tryPush([n === 7 ? customer('2', 'taken@x.org') : note(`n${String(n)}`, { n })]),
      );
      const answers = (await Promise.all(pushes)).map(
        ({ body }) => (body as { results: PushResult[] }).results[0],
      );
      expect(answers.map((result) => result?.code ?? result?.status)).toEqual(
        range(20).map((n) => (n === 7 ? 'unique_violation' : 'accepted')),
      );
    });

    it('rejects it in its batch, or alone when each change is independent', async () => {
      await device.one(customer('1', 'taken@x.org'));
      const changes = [
        note('a', {}),
        customer('2', 'taken@x.org', { mutation_id: 'm2' }),
        customer('3', 'free@x.org'),
      ];
      const codes = (results: PushResult[]): unknown[] => results.map(({ code }) => code);
      expect(codes(await device.push(changes))).toEqual([
        'batch_rolled_back',
        'unique_violation',
        'batch_rolled_back',
      ]);
      expect(codes(await device.push(changes, { atomic: 'mutation' }))).toEqual([
        null,
        'unique_violation',
        null,
      ]);
    });

    it('lets one of many that want a value have it', async () => {
      const wanted = await Promise.all(
        range(10).map((n) => (n % 2 ? app : other).as(scope).one(customer(String(n), 'one@x.org'))),
      );
      expect(wanted.map(({ code, status }) => code ?? status).sort()).toEqual([
        'accepted',
        ...range(9).map(() => 'unique_violation'),
      ]);
    });

    it('gives a value free with its document, and keeps none from another scope', async () => {
      const { new_version: parent_version } = await device.one(customer('1', 'x@x.org'));
      expect(await app.as(`${scope}-b`).one(customer('b', 'x@x.org'))).toMatchObject({ status: 'accepted' });
      const swapped = await device.push([
        { collection: 'customers', operation: 'delete', doc_id: `${scope}-1`, parent_version },
        customer('2', 'x@x.org'),
      ]);
      expect(swapped.map(({ status }) => status)).toEqual(['accepted', 'accepted']);
    });
  });
});
