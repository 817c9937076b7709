import { StorageLostError } from './errors.ts';
import { memory } from './memory.ts';

const row = (id: string | number, version: string) => ({ id, version, data: {}, generation: 1 });

async function opened() {
  const storage = memory();
  return { storage, database: await storage.open('one') };
}

it('keeps nothing of a body that throws, nor of one that caught a failed operation', async () => {
  const { database } = await opened();
  await database.transaction('write', ['base', 'meta'], async ({ base, meta }) => {
    await base.put('tasks', [row('a', '1'), row('b', '1')]);
    await meta.put('cursor', { at: 1 });
  });
  await expect(
    database.transaction('write', ['base', 'meta', 'outbox'], async ({ base, meta, outbox }) => {
      await base.put('tasks', [row('a', '2'), row('c', '2')]);
      await base.clear();
      await meta.put('cursor', { at: 2 });
      await outbox.put(1, {});
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  await expect(
    database.transaction('read', ['meta'], async ({ meta }) => meta.put('cursor', { at: 3 }).catch(() => 0)),
  ).rejects.toThrow('reads may not write');
  const read = await database.transaction('read', ['base', 'meta', 'outbox'], async (stores) => [
    await stores.base.scan('tasks'),
    await stores.meta.get('cursor'),
    await stores.outbox.range(),
  ]);
  expect(read).toEqual([[row('a', '1'), row('b', '1')], { at: 1 }, []]);
});

it('lets transactions take effect in the order in which they were begun', async () => {
  const { database } = await opened();
  const add = async () =>
    database.transaction('write', ['meta'], async ({ meta }) => {
      const { n } = ((await meta.get('n')) ?? { n: 0 }) as { n: number };
      await meta.put('n', { n: n + 1 });
    });
  const read = async () => database.transaction('read', ['meta'], async ({ meta }) => meta.get('n'));
  const [, first, , , second] = await Promise.all([add(), read(), add(), add(), read()]);
  expect([first, second]).toEqual([{ n: 1 }, { n: 3 }]);
});

it('refuses everything after close and removal, and tells of the removal once', async () => {
  const { storage, database } = await opened();
  const other = await storage.open('one');
  const told: StorageLostError[] = [];
  other.onLost((loss) => told.push(loss));
  database.onLost((loss) => told.push(loss));
  await database.close();
  await storage.remove('one');
  const look = database.transaction('read', ['meta'], async () => 1);
  await expect(look).rejects.toBeInstanceOf(StorageLostError);
  await expect(other.transaction('read', ['meta'], async () => 1)).rejects.toBeInstanceOf(StorageLostError);
  expect(told).toHaveLength(1);
  expect(await storage.list()).toEqual([]);
});
