import type { Cases, StorageDevice } from './device.ts';
import { chance, contents, equal, read, rejects, rows, write } from './check.ts';

/** What a device does to a storage: those cases that the device can be brought to. */
export function trouble({ fill, disconnect, clear }: StorageDevice): Cases {
  return {
    ...(fill && full(fill)),
    ...(disconnect && disconnected(disconnect)),
    ...(clear && cleared(clear)),
  };
}

const full = (fill: NonNullable<StorageDevice['fill']>): Cases => ({
  'keeps nothing of a change that there is no room for, and goes on when there is': async (bench) => {
    const database = await bench.open();
    await write(database, async ({ base, outbox }) => {
      await base.put('tasks', rows(0, 300));
      await outbox.put(1, { title: 'kept' });
    });
    const before = await contents(database);
    const large = noise(1_000_000);
    const undo = await fill();
    try {
      for (const mode of ['write', 'durable'] as const)
        await rejects(
          database.transaction(mode, ['outbox', 'base'], async ({ outbox, base }) => {
            await outbox.delete(1);
            await base.delete('tasks', ['row-00000']);
            for (let at = 2; at < 40; at++) await outbox.put(at, { large: large + String(at) });
          }),
          'storage_full',
          'a change without room',
        );
      await rejects(
        write(database, async ({ outbox }) => {
          for (let at = 2; at < 40; at++) await outbox.put(at, { large }).catch(() => undefined);
        }),
        'storage_full',
        'a body that caught it',
      );
      equal(await contents(database), before, 'nothing of it is there');
    } finally {
      await undo();
    }
    await write(database, ({ outbox }) => outbox.put(2, { title: 'there is room' }));
    equal((await read(database, ({ outbox }) => outbox.range())).length, 2, 'it goes on');
  },
});

const disconnected = (disconnect: NonNullable<StorageDevice['disconnect']>): Cases => ({
  'opens another connection when it lost its own, and runs the body again': async (bench) => {
    const database = await bench.open();
    const told: string[] = [];
    database.onLost((loss) => told.push(loss.code));
    await write(database, ({ meta }) => meta.put('n', { n: 1 }));
    for (const mode of ['read', 'write', 'durable'] as const) {
      await disconnect(bench.nameOf());
      const n = await database.transaction(mode, ['meta'], async ({ meta }) => {
        const { n } = (await meta.get('n')) as { n: number };
        if (mode !== 'read') await meta.put('n', { n: n + 1 });
        return n;
      });
      equal(n, mode === 'durable' ? 2 : 1, 'the connection is there again');
    }
    equal(await read(database, ({ meta }) => meta.get('n')), { n: 3 }, 'each took effect once');
    equal(told, [], 'nothing was lost');
  },
});

const cleared = (clear: NonNullable<StorageDevice['clear']>): Cases => ({
  'is lost when the user clears the device': async (bench) => {
    const database = await bench.open();
    const told: string[] = [];
    const lost = new Promise<void>((resolve) => {
      database.onLost((loss) => {
        told.push(loss.code);
        resolve();
      });
    });
    await write(database, ({ outbox }) => outbox.put(1, { title: 'gone with the device' }));
    await clear();
    await lost;
    await rejects(
      write(database, ({ outbox }) => outbox.put(2, {})),
      'storage_lost',
      'after clearing',
    );
    equal(told, ['storage_lost'], 'it is told once');
    equal(await read(await bench.open(), ({ outbox }) => outbox.range()), [], 'a new one is empty');
  },
});

/** Text that nothing compresses. */
function noise(length: number): string {
  const draw = chance(length);
  return Array.from({ length }, () => String.fromCharCode(33 + Math.floor(draw() * 94))).join('');
}
