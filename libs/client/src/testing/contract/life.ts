import type { StorageLostError } from '../../errors.ts';
import type { Cases } from './device.ts';
import { contents, equal, read, rejects, row, rows, write } from './check.ts';

/** Number 9 of the contract, and the life of databases. */
export const LIFE: Cases = {
  'lists the databases that are there, and removes them': async (bench) => {
    const names = ['', '/', '..', 'É漢😀', "'; DROP", '%', 'x'.repeat(200 - bench.nameOf().length)];
    for (const suffix of names) {
      const database = await bench.open(suffix);
      await write(database, ({ meta }) => meta.put('name', { suffix }));
      await database.close();
    }
    const mine = async () => {
      const all = await bench.again().list();
      equal(new Set(all).size, all.length, 'each is named once');
      return names.filter((suffix) => all.includes(bench.nameOf(suffix)));
    };
    equal(await mine(), names, 'all are named');
    for (const suffix of names) {
      const database = await bench.open(suffix);
      equal(database.name, bench.nameOf(suffix), 'a database has its name');
      equal(await read(database, ({ meta }) => meta.get('name')), { suffix }, 'each has its own contents');
      await database.close();
    }
    for (const suffix of names.slice(1)) await bench.storage.remove(bench.nameOf(suffix));
    equal(await mine(), names.slice(0, 1), 'the others are gone');
    await bench.storage.remove(bench.nameOf(names[1]));
    await bench.storage.remove(bench.nameOf('never made'));
  },

  'keeps databases apart': async (bench) => {
    const [one, other] = [await bench.open('one'), await bench.open('other')];
    await write(one, ({ base }) => base.put('tasks', rows(0, 10)));
    await Promise.all([
      write(one, ({ meta }) => meta.put('cursor', { of: 'one' })),
      write(other, ({ meta }) => meta.put('cursor', { of: 'other' })),
    ]);
    await bench.storage.remove(one.name);
    const expected = {
      base: [[]],
      view: [[]],
      outbox: [],
      rejected: [],
      meta: [['cursor', { of: 'other' }]],
    };
    equal(await contents(other), expected, 'the other is whole');
  },

  'rejects everything after close, and tells nobody': async (bench) => {
    const database = await bench.open();
    const told: string[] = [];
    database.onLost((loss) => told.push(loss.code));
    const begun = write(database, async ({ base, meta }) => {
      await base.put('tasks', rows(0, 300));
      await meta.put('cursor', { at: 'last' });
    });
    await database.close();
    await begun;
    for (const mode of ['read', 'write', 'durable'] as const)
      await rejects(
        database.transaction(mode, ['meta'], ({ meta }) => meta.range()),
        'storage_lost',
        'after close',
      );
    await database.close();
    equal(told, [], 'nobody is told');
    const later = await bench.open();
    equal((await read(later, ({ base }) => base.scan('tasks'))).length, 300, 'what was begun is there');
    equal(await read(later, ({ meta }) => meta.get('cursor')), { at: 'last' }, 'all of it');
  },

  'loses a database that is removed while it is open, and says so once': async (bench) => {
    const connections = [await bench.open(), await bench.open(), await bench.again().open(bench.nameOf())];
    const told: string[] = [];
    const lost = connections.map(
      (database, at) =>
        new Promise<void>((resolve) => {
          database.onLost((loss: StorageLostError) => {
            told.push(`${at} ${loss.code}`);
            resolve();
          });
        }),
    );
    const [one] = connections;
    if (one) await write(one, ({ base }) => base.put('tasks', [row('a')]));
    const end = connections[1]?.onLost(() => told.push('it was taken back'));
    end?.();
    await bench.storage.remove(bench.nameOf());
    for (const database of connections)
      await rejects(
        write(database, ({ meta }) => meta.put('late', {})),
        'storage_lost',
        'after removal',
      );
    await Promise.all(lost);
    for (const database of connections) {
      await rejects(
        read(database, ({ meta }) => meta.range()),
        'storage_lost',
        'it stays lost',
      );
      await database.close();
    }
    equal(told.sort(), ['0 storage_lost', '1 storage_lost', '2 storage_lost'], 'each is told once');
    const empty = { base: [[]], view: [[]], outbox: [], rejected: [], meta: [] };
    equal(await contents(await bench.open()), empty, 'a new one of this name is empty');
  },

  'leaves a transaction whole or not there when its database is removed meanwhile': async (bench) => {
    const database = await bench.open();
    const work = Array.from({ length: 6 }, (_, at) =>
      write(database, ({ outbox }) => outbox.put(at, {})).then(
        () => 'kept',
        (error: unknown) => (error as { code?: string }).code,
      ),
    );
    await bench.storage.remove(database.name);
    for (const end of await Promise.all(work))
      if (end !== 'kept') equal(end, 'storage_lost', 'a transaction that was not kept');
    equal(await read(await bench.open(), ({ outbox }) => outbox.range()), [], 'a new one is empty');
  },

  'tells of its room, and whether it keeps the data': async (bench) => {
    const database = await bench.open();
    const { usage = 0, quota = 0, persisted } = await database.estimate();
    equal([typeof usage, typeof quota, typeof persisted], ['number', 'number', 'boolean'], 'the estimate');
    equal(typeof (await database.persist()), 'boolean', 'the answer to persist');
  },
};
