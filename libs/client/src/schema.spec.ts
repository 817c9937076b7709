import fc from 'fast-check';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { runs } from '../../../test/support/runs.ts';
import {
  collection,
  createSyncClient,
  inc,
  memory,
  type Definitions,
  type SchemaIssue,
  type SchemaResult,
  type StandardSchema,
} from './index.ts';

interface Task {
  title: string;
  n: number;
  about?: { by?: string };
}
type TaskIn = Omit<Task, 'n'> & { n?: number };

/** As Zod's objects do: takes away what it does not know, trims, fills in. */
function judged(value: unknown): SchemaResult<Task> {
  const { title, n = 0, about } = value as Record<string, unknown>;
  const issues: SchemaIssue[] = [];
  if (typeof title !== 'string') issues.push({ message: 'has to be text', path: ['title'] });
  if (typeof n !== 'number' || n < 0) issues.push({ message: 'has to be 0 or more', path: [{ key: 'n' }] });
  if (issues.length > 0) return { issues };
  const by = (about as { by?: string } | undefined)?.by;
  return {
    value: {
      title: (title as string).trim(),
      n: n as number,
      ...(about === undefined ? {} : { about: by === undefined ? {} : { by } }),
    },
  };
}
const schemaOf = (validate: (value: unknown) => unknown): StandardSchema<TaskIn, Task> => ({
  '~standard': { version: 1, vendor: 'test', validate: validate as never },
});
const sync = schemaOf(judged);
const later = schemaOf(async (value) => {
  await new Promise((resolve) => setImmediate(resolve));
  return judged(value);
});

const TOKEN = `x.${Buffer.from(JSON.stringify({ user_id: 'a' })).toString('base64url')}.x`;
async function device<C extends Definitions>(collections: C) {
  const client = createSyncClient({
    url: 'http://server/sync',
    storage: memory(),
    auth: { token: () => TOKEN },
    collections,
    stream: false,
    environment: { fetch: () => Promise.reject(new Error('no network')), timer: () => () => undefined },
  });
  await client.open();
  return client;
}
describe.each([
  ['that answers at once', sync],
  ['that has to wait', later],
])('with a schema %s', (_, schema) => {
  const collections = { tasks: collection({ schema }), free: collection<JsonObject & object>() };

  it('stores what the schema makes of a document, and nothing that it refuses', async () => {
    const { db } = await device(collections);
    const { id } = await db.tasks.create({ title: ' Milk ' });
    expect(await db.tasks.get(id)).toEqual({ _id: id, title: 'Milk', n: 0 });
    await db.tasks.patch(id, { title: ' Oats ' });
    await db.tasks.patch(id, ({ n }) => ({ n: n + 1 }));
    await db.tasks.patch(id, { n: inc(1) });
    expect(await db.tasks.get(id)).toEqual({ _id: id, title: 'Oats', n: 2 });
    const wrong = {
      code: 'invalid_data',
      issues: [{ message: 'has to be 0 or more', path: [{ key: 'n' }] }],
    };
    await expect(db.tasks.create({ _id: 'no', title: 'x', n: -1 })).rejects.toMatchObject(wrong);
    await expect(db.tasks.upsert(id, { title: 'x', n: -1 })).rejects.toMatchObject(wrong);
    await expect(db.tasks.patch(id, { n: inc(-9) })).rejects.toMatchObject(wrong);
    await expect(db.tasks.create({ title: 7 } as never)).rejects.toMatchObject({
      message: expect.stringContaining('(title)') as string,
    });
    expect(await db.tasks.find()).toEqual([{ _id: id, title: 'Oats', n: 2 }]);
  });

  it('makes concurrent edits on each other, not over each other', async () => {
    const { db } = await device(collections);
    await db.tasks.create({ _id: 'i', title: 'x' });
    await Promise.all(Array.from({ length: 5 }, () => db.tasks.patch('i', ({ n }) => ({ n: n + 1 }))));
    expect(await db.tasks.get('i')).toMatchObject({ n: 5 });
  });

  it('judges each edit of a transaction, which falls as a whole', async () => {
    const one = await device(collections);
    await one.db.tasks.create({ _id: 'i', title: 'x', n: 1 });
    await expect(
      one.transaction(async (tx) => {
        await tx.free.create({ _id: 'f', a: 1 });
        await Promise.all([tx.tasks.patch('i', { n: inc(1) }), tx.tasks.patch('i', { n: inc(-3) })]);
      }),
    ).rejects.toMatchObject({ code: 'invalid_data' });
    expect(await one.db.free.find()).toEqual([]);
    await one.transaction(async (tx) => {
      await tx.tasks.patch('i', { title: ' y ' });
      expect(await tx.tasks.get('i')).toMatchObject({ title: 'y' });
    });
    expect(await one.db.tasks.get('i')).toEqual({ _id: 'i', title: 'y', n: 1 });
  });
});

it.each([
  ['throws', () => Promise.reject(new Error('broken'))],
  ['says true', () => true],
  ['says nothing', () => undefined],
  ['gives text', () => ({ value: 'document' })],
  ['gives a list', () => ({ value: [] })],
  ['has issues that are no list', () => ({ issues: null, value: {} })],
])('takes a schema that %s for no yes', async (_, answer) => {
  const { db } = await device({ tasks: collection({ schema: schemaOf(answer) }) });
  await expect(db.tasks.upsert('i', { title: 'x' })).rejects.toMatchObject({ code: 'schema_failed' });
  expect(await db.tasks.find()).toEqual([]);
});

it('takes a list of no issues for a refusal', async () => {
  const { db } = await device({ tasks: collection({ schema: schemaOf(() => ({ issues: [] })) }) });
  await expect(db.tasks.upsert('i', { title: 'x' })).rejects.toMatchObject({
    code: 'invalid_data',
    issues: [],
  });
});

it('lets a document be edited that somebody else has left wrong elsewhere', async () => {
  const storage = memory();
  const settings = {
    url: 'http://server/sync',
    storage,
    auth: { token: () => TOKEN },
    stream: false,
    environment: { fetch: () => Promise.reject(new Error('no network')), timer: () => () => undefined },
  };
  const before = createSyncClient({ ...settings, collections: { tasks: collection<JsonObject>() } });
  await before.open();
  await before.db.tasks.create({ _id: 'i', n: -5, foreign: 1 });
  await before.close();
  const after = createSyncClient({ ...settings, collections: { tasks: collection({ schema: sync }) } });
  await after.open();
  await after.db.tasks.patch('i', { about: { by: 'me' } });
  await expect(after.db.tasks.patch('i', { n: -6 })).rejects.toMatchObject({
    issues: [{ path: [{ key: 'n' }] }],
  });
  await after.db.tasks.patch('i', { title: 'right' }).catch((error: unknown) => error);
  expect(await after.db.tasks.get('i')).toMatchObject({
    title: 'right',
    n: -5,
    foreign: 1,
    about: { by: 'me' },
  });
});

const foreign = fc.dictionary(
  fc.constantFrom('x', 'y', 'z'),
  fc.oneof(fc.nat(), fc.constantFrom(null, 'a', [1], { deep: 1 })),
  { noNullPrototype: true },
);

it('never takes away what the schema does not know, at any depth, unless that is asked for', async () => {
  await fc.assert(
    fc.asyncProperty(
      foreign,
      foreign,
      fc.array(fc.constantFrom('patch', 'inc', 'upsert', 'deep'), { maxLength: 5 }),
      async (outer, inner, edits) => {
        const { db } = await device({ tasks: collection({ schema: sync }) });
        // By a version of the app that knows more.
        await db.tasks.create({ ...outer, _id: 'i', title: 't', about: { ...inner, by: 'me' } });
        for (const each of edits)
          if (each === 'patch') await db.tasks.patch('i', { title: 'u' });
          else if (each === 'inc') await db.tasks.patch('i', { n: inc(1) });
          else if (each === 'deep') await db.tasks.patch('i', { 'about.by': 'you' });
          else await db.tasks.upsert('i', { title: 'v', about: {} });
        const { _id, title: _t, n: _n, about, ...rest } = (await db.tasks.get('i'))!;
        const { by: _by, ...deep } = about!;
        expect([rest, deep]).toEqual([outer, inner]);
        await db.tasks.upsert('i', { title: 'w' }, { exact: true });
        expect(await db.tasks.get('i')).toEqual({ _id: 'i', title: 'w', n: 0 });
      },
    ),
    runs(60),
  );
});

it('replaces what it knows: an optional field that is not given goes', async () => {
  const { db } = await device({
    tasks: collection({ schema: sync }),
    named: collection<{ a?: number; b?: number }>({ fields: ['a', 'b'] }),
    free: collection<JsonObject>(),
  });
  await db.tasks.upsert('i', { title: 'x', about: { by: 'me' } });
  await db.tasks.upsert('i', { title: 'y' });
  expect(await db.tasks.get('i')).toEqual({ _id: 'i', title: 'y', n: 0 });
  await db.named.upsert('i', { a: 1, b: 2, c: 3 } as never);
  await db.named.upsert('i', { b: 4 });
  expect(await db.named.get('i')).toEqual({ _id: 'i', b: 4, c: 3 });
  await db.free.upsert('i', { a: 1 });
  await db.free.upsert('i', { b: 1 });
  expect(await db.free.get('i')).toEqual({ _id: 'i', b: 1 });
});

it('refuses a transaction that no push can hold, at the edit that is too much', async () => {
  const one = await device({ free: collection<JsonObject>() });
  let made = 0;
  const create = async (text: string): Promise<void> =>
    one.transaction(async (tx) => {
      made = 0;
      for (; made < 2_000; made++) await tx.free.create({ text });
    });
  await expect(create('x')).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('1000 edits and 8 MiB') as string,
  });
  expect(made).toBe(1_000);
  await expect(create('x'.repeat(1_048_576))).rejects.toMatchObject({ code: 'usage' });
  expect(made).toBe(7);
  expect(await one.db.free.find()).toEqual([]);
});
