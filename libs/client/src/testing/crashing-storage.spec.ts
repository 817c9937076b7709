import { collection, createSyncClient, memory } from '../index.ts';
import { CrashingStorage } from './crashing-storage.ts';
import { FakeServer } from './fake-server.ts';
import { VirtualTime } from './virtual-time.ts';

it.each([
  ['after', true],
  ['before', false],
] as const)('ends a process %s a write took effect; the next process has it: %s', async (when, isKept) => {
  const time = new VirtualTime();
  const server = new FakeServer({ collections: ['tasks'], now: () => time.now });
  const disk = memory();
  const started = async (storage: CrashingStorage) => {
    const client = createSyncClient({
      url: 'https://api.example.com/sync',
      storage,
      auth: { token: () => server.token('ann') },
      collections: { tasks: collection<{ title: string }>() },
      environment: { ...time.environment(), fetch: server.fetch, socket: server.socket },
    });
    await client.open();
    return client;
  };
  const storage = new CrashingStorage(disk);
  const first = await started(storage);
  storage.crashAt(1, when);
  await expect(first.db.tasks.create({ _id: 't', title: 'Milk' })).rejects.toMatchObject({
    code: 'storage_lost',
  });
  expect(storage.hasCrashed).toBe(true);
  const second = await started(new CrashingStorage(disk));
  await time.pass(60_000);
  expect(server.document('ann', 'tasks', 't') !== undefined).toBe(isKept);
  expect(second.status.current).toMatchObject({ phase: 'live', pending: 0 });
  await second.close();
});
