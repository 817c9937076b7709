import { collection, createSyncClient, inc, memory, type SchemaIssue, type StandardSchema } from './index.ts';
import { FakeServer, FaultyNetwork, VirtualTime } from './testing/index.ts';

interface Task {
  title: string;
  n?: number;
}
const MINUTE = 60_000;

/** A title is a text, and is trimmed. */
const schema: StandardSchema<Task> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: async (value) => {
      const { title, ...rest } = value as Task;
      const issues: SchemaIssue[] = [{ message: 'has to be text', path: ['title'] }];
      return typeof title === 'string' ? { value: { ...rest, title: title.trim() } } : { issues };
    },
  },
};

async function device(conflict: 'last-writer-wins' | 'reject-stale' = 'last-writer-wins') {
  const time = new VirtualTime();
  const server = new FakeServer({ collections: ['tasks', 'checked'], now: () => time.now, conflict });
  const network = new FaultyNetwork(server);
  server.refuses = ({ data }) =>
    (data as Task | undefined)?.title === 'bad' ? 'validation_failed' : undefined;
  const client = createSyncClient({
    url: 'https://shop.example/sync',
    storage: memory(),
    auth: { token: () => server.token('ann') },
    collections: { tasks: collection<Task>(), checked: collection({ schema }) },
    stream: false,
    environment: { ...time.environment(), fetch: network.fetch },
  });
  server.edit('ann', 'tasks', 't', { title: 'first' });
  await client.open();
  await time.pass(MINUTE);
  /** What others have written is read before anything is sent. */
  const readsFirst = async (): Promise<void> => {
    server.fails = (path) => (path === 'push' ? { status: 503, code: 'busy' } : undefined);
    await time.pass(2 * MINUTE);
    server.fails = undefined;
    await time.pass(2 * MINUTE);
  };
  return { time, server, network, client, readsFirst };
}

describe('an entry of the quarantine', () => {
  it.each(['refuse', 'flush'] as const)(
    'does not go without a word with a logout that may %s',
    async (unsent) => {
      const { client, time } = await device();
      await client.db.tasks.upsert('x', { title: 'bad' });
      await time.pass(MINUTE);
      expect(client.status.current).toMatchObject({ pending: 0, rejected: 1 });
      const refused = expect(client.logout({ unsent })).rejects.toMatchObject({
        code: 'unsent_changes',
        count: 1,
      });
      await time.pass(MINUTE);
      await refused;
      const [entry] = await client.rejected.list();
      // The user is still there, and decides.
      await client.rejected.discard(entry?.id ?? '');
      const leaving = client.logout({ unsent });
      await time.pass(MINUTE);
      await leaving;
      expect(client.status.current.phase).toBe('closed');
    },
  );

  it('says what the user made, what that was made on, and what the server has, of each change', async () => {
    const { client, server, readsFirst, time } = await device('reject-stale');
    await client.pause();
    await client.db.tasks.patch('t', { title: 'mine' });
    server.edit('ann', 'tasks', 't', { title: 'theirs' });
    await client.resume();
    await readsFirst();
    expect(await client.rejected.list()).toEqual([
      {
        id: expect.any(String) as string,
        code: 'conflict_stale',
        message: expect.any(String) as string,
        at: expect.any(Number) as number,
        seq: expect.any(Number) as number,
        transaction: false,
        changes: [
          expect.objectContaining({
            collection: 'tasks',
            id: 't',
            code: 'conflict_stale',
            mine: { title: 'mine' },
            base: { title: 'first' },
            theirs: { title: 'theirs' },
          }),
        ],
      },
    ]);
    // What stands on a refused edit was never judged by the server, and has what is known of it too.
    await client.pause();
    await client.transaction(async ({ tasks }) => {
      await tasks.create({ _id: 'x', title: 'bad' });
      await tasks.create({ _id: 'y', title: 'good' });
    });
    await client.db.tasks.patch('t', { n: 1 });
    await client.transaction(async ({ tasks }) => {
      await tasks.patch('y', { n: 1 });
      await tasks.patch('t', { n: 2 });
    });
    await client.resume();
    await time.pass(MINUTE);
    const [, entry] = await client.rejected.list();
    expect(entry?.changes.map(({ id, code, theirs }) => [id, code, theirs])).toEqual([
      ['x', 'validation_failed', null],
      ['y', null, null],
      ['y', null, undefined],
      ['t', null, { title: 'theirs' }],
    ]);
  });

  it('comes in the order of time, and of edits where they were refused at once', async () => {
    const { client, time } = await device();
    const seen: string[] = [];
    client.rejected.live().subscribe((entries) => {
      const ids = entries.map(({ changes: [change] }) => change?.id).join('');
      if (seen.at(-1) !== ids) seen.push(ids);
    });
    for (const ids of [['z', 'y', 'x'], ['a']]) {
      await client.pause();
      for (const _id of ids) await client.db.tasks.create({ _id, title: 'bad' });
      await client.resume();
      await time.pass(MINUTE);
    }
    const entries = await client.rejected.list();
    expect(entries.map(({ changes: [change] }) => change?.id)).toEqual(['z', 'y', 'x', 'a']);
    await client.rejected.discard(entries[1]!.id);
    await time.pass(MINUTE);
    expect(seen).toEqual(['', 'zyx', 'zyxa', 'zxa']);
  });
});

it('keeps the id of what was rolled back, so that its first request can have no effect beside the second', async () => {
  const { client, server, time } = await device();
  await client.transaction(async ({ tasks }) => {
    await tasks.patch('t', { n: inc(1) });
    await tasks.create({ _id: 'x', title: 'bad' });
  });
  await time.pass(MINUTE);
  server.refuses = undefined;
  const [entry] = await client.rejected.list();
  await client.rejected.retry(entry!.id);
  await time.pass(MINUTE);
  expect(server.document('ann', 'tasks', 't')?.data).toEqual({ title: 'first', n: 1 });
  const pushes = server.requests.flatMap(({ path, body }) =>
    path === 'push' ? [(body as { changes: { doc_id: string; mutation_id: string }[] }).changes] : [],
  );
  const [first, second] = pushes.map(
    (changes) => new Map(changes.map((each) => [each.doc_id, each.mutation_id])),
  );
  expect(second?.get('t')).toBe(first?.get('t'));
  expect(second?.get('x')).not.toBe(first?.get('x'));
});

describe('a retry with other fields', () => {
  async function refused() {
    const all = await device();
    await all.client.db.checked.create({ _id: 'c', title: 'bad' });
    await all.time.pass(MINUTE);
    const [entry] = await all.client.rejected.list();
    return { ...all, id: entry!.id };
  }

  it('is judged by the schema, and the entry stays where it does not fit', async () => {
    const { client, id, time, server } = await refused();
    const retry = (fields: unknown) => client.rejected.retry(id, fields as Record<string, unknown>);
    await expect(retry({ title: 7 })).rejects.toMatchObject({
      code: 'invalid_data',
      issues: [{ path: ['title'] }],
    });
    for (const fields of [{}, 'title', ['title'], { title: () => 'x' }])
      await expect(retry(fields)).rejects.toMatchObject({ code: 'invalid_data' });
    await expect(retry({ title: inc(1) })).rejects.toMatchObject({ code: 'patch_mismatch' });
    expect(await client.rejected.list()).toHaveLength(1);
    expect(await client.db.checked.get('c')).toBeUndefined();
    await retry({ title: '  good ', n: 1 });
    expect(await client.rejected.list()).toEqual([]);
    await time.pass(MINUTE);
    expect(server.document('ann', 'checked', 'c')?.data).toEqual({ title: 'good', n: 1 });
    await expect(retry({ title: 'again' })).rejects.toMatchObject({ code: 'usage' });
  });

  it('changes those fields of what the server has by now', async () => {
    const { client, id, time, server } = await refused();
    server.edit('ann', 'checked', 'c', { title: 'theirs', n: 5 });
    await time.pass(MINUTE);
    await client.rejected.retry(id, { title: 'mine' });
    await time.pass(MINUTE);
    expect(server.document('ann', 'checked', 'c')?.data).toEqual({ title: 'mine', n: 5 });
  });
});

describe('the event of a conflict', () => {
  it.each([true, false])('has what others had made, if that was read before: %s', async (isRead) => {
    const { client, server, readsFirst, time } = await device();
    const conflicts: object[] = [];
    client.on('conflict', (conflict) => conflicts.push(conflict));
    await client.pause();
    server.edit('ann', 'tasks', 't', { title: 'theirs' });
    await time.pass(MINUTE);
    await client.db.tasks.upsert('t', { title: 'mine' });
    if (!isRead)
      server.fails = (path) => (path.startsWith('pull') ? { status: 503, code: 'busy' } : undefined);
    await client.resume();
    if (isRead) await readsFirst();
    else await time.pass(2 * MINUTE);
    expect(conflicts).toEqual([
      {
        collection: 'tasks',
        id: 't',
        base: { title: 'first' },
        mine: { title: 'mine' },
        theirs: isRead ? { title: 'theirs' } : undefined,
        result: { title: 'mine' },
      },
    ]);
  });
});
