import type { Cases } from './device.ts';
import { contents, equal, read, rejects, row, rows, write } from './check.ts';

/** Numbers 1 to 5 of the contract. */
export const TRANSACTIONS: Cases = {
  'keeps what a body wrote, in every store, for later transactions': async (bench) => {
    const database = await bench.open();
    const result = await write(database, async ({ base, view, outbox, rejected, meta }) => {
      await base.put('tasks', [row('a'), row('b')]);
      await view.put('tasks', 'a', { title: 'mine' });
      await outbox.put(7, { op: 'patch' });
      await rejected.put('r', { code: 'conflict' });
      await meta.put('cursor', { at: 'c1' });
      return 'answer';
    });
    equal(result, 'answer', 'a transaction gives what its body returns');
    const expected = {
      base: [[row('a'), row('b')]],
      view: [[['a', { title: 'mine' }]]],
      outbox: [[7, { op: 'patch' }]],
      rejected: [['r', { code: 'conflict' }]],
      meta: [['cursor', { at: 'c1' }]],
    };
    equal(await contents(database), expected, 'what was written is there');
    await database.close();
    const later = await bench.again().open(bench.nameOf());
    equal(await contents(later), expected, 'it is there when the database is opened again');
    await later.close();
  },

  'keeps nothing of a body that throws': async (bench) => {
    const database = await bench.open();
    await write(database, ({ base }) => base.put('tasks', rows(0, 300)));
    const before = await contents(database);
    for (const mode of ['write', 'durable'] as const)
      await rejects(
        database.transaction(mode, ['base', 'view', 'outbox', 'meta'], async (stores) => {
          await stores.base.put('tasks', rows(100, 500, '2'));
          await stores.base.delete('tasks', ['row-00000']);
          await stores.view.put('tasks', 'x', {});
          await stores.outbox.put(1, {});
          await stores.meta.put('cursor', { at: 'never' });
          await stores.base.clear();
          throw new Error('the body fails');
        }),
        'the body fails',
        'the error of the body comes out',
      );
    equal(await contents(database), before, 'nothing of it is there');
  },

  'keeps nothing when an operation failed, also if the body caught the error': async (bench) => {
    const database = await bench.open();
    await write(database, ({ meta }) => meta.put('cursor', { at: 'c1' }));
    await rejects(
      database.transaction('read', ['meta'], async ({ meta }) => {
        await meta.put('cursor', { at: 'never' }).catch(() => undefined);
        return 'all well';
      }),
      'may not write',
      'a write in a transaction that reads',
    );
    equal(await read(database, ({ meta }) => meta.get('cursor')), { at: 'c1' }, 'nothing of it is there');
  },

  'gives only the stores that were named': async (bench) => {
    const database = await bench.open();
    const names = await database.transaction('write', ['meta', 'view'], async (stores) =>
      Object.keys(stores),
    );
    equal(names.sort(), ['meta', 'view'], 'the stores of the transaction');
  },

  'lets transactions take effect in the order in which they were begun': async (bench) => {
    const database = await bench.open();
    const add = () =>
      write(database, async ({ meta }) => {
        const { n } = ((await meta.get('n')) ?? { n: 0 }) as { n: number };
        await meta.put('n', { n: n + 1 });
        return n + 1;
      });
    const look = () => read(database, ({ meta }) => meta.get('n'));
    const seen = await Promise.all([add(), look(), add(), add(), look(), add()]);
    equal(seen, [1, { n: 1 }, 2, 3, { n: 3 }, 4], 'each sees what was begun before it');
  },

  'shows a body its own writes and nothing of what is not whole': async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()];
    const pair = (n: number) =>
      write(one, async ({ base, meta, view }) => {
        await meta.put('left', { n });
        equal(await meta.get('left'), { n }, 'a body sees what it wrote');
        await base.put('tasks', rows(0, 201, String(n)));
        const [first, last] = await base.get('tasks', ['row-00000', 'row-00200']);
        equal([first?.version, last?.version], [String(n), String(n)], 'a body sees its rows');
        await view.put('tasks', 'x', { n });
        await meta.put('right', { n });
      });
    const look = () =>
      read(other, async ({ base, meta, view }) => {
        const values = [await meta.get('left'), await view.get('tasks', 'x'), await meta.get('right')];
        const versions = (await base.scan('tasks')).map(({ version }) => ({ n: Number(version) }));
        equal(new Set([...values, ...versions].map((value) => JSON.stringify(value))).size, 1, 'one state');
      });
    await pair(0);
    const runs: Promise<unknown>[] = [];
    for (let n = 1; n < 8; n++) runs.push(pair(n), look(), look());
    await Promise.all(runs);
  },

  'loses no increment of two connections of one database': async (bench) => {
    const [one, other] = [await bench.open(), await bench.again().open(bench.nameOf())];
    const add = (database: typeof one, mode: 'write' | 'durable') =>
      database.transaction(mode, ['meta'], async ({ meta }) => {
        const { n } = ((await meta.get('n')) ?? { n: 0 }) as { n: number };
        await meta.put('n', { n: n + 1 });
      });
    await Promise.all(
      Array.from({ length: 40 }, (_, at) => add(at % 2 ? one : other, at % 3 ? 'write' : 'durable')),
    );
    equal(await read(one, ({ meta }) => meta.get('n')), { n: 40 }, 'all of them are there');
    equal(await read(other, ({ meta }) => meta.get('n')), { n: 40 }, 'for both');
    await other.close();
  },

  'takes operations that are begun without awaiting the one before': async (bench) => {
    const database = await bench.open();
    const seen = await write(database, async ({ base, outbox, view }) => {
      const work = [
        base.put('tasks', rows(0, 150, '1')),
        base.put('tasks', rows(100, 260, '2')),
        base.delete('tasks', ['row-00120']),
        base.put('tasks', [row('row-00121', '3')]),
        outbox.put(1, { v: 1 }),
        outbox.put(1, { v: 2 }),
        view.put('tasks', 'a', { v: 1 }),
        view.delete('tasks', 'a'),
      ];
      const reads = [base.get('tasks', ['row-00000', 'row-00120', 'row-00121', 'row-00259']), outbox.get(1)];
      await Promise.all(work);
      return Promise.all(reads);
    });
    equal(
      seen,
      [[...rows(0, 1), undefined, row('row-00121', '3'), ...rows(259, 260, '2')], { v: 2 }],
      'they take effect in the order of the calls',
    );
    const expected = [...rows(0, 100, '1'), ...rows(100, 260, '2')]
      .filter(({ id }) => id !== 'row-00120')
      .map((each) => (each.id === 'row-00121' ? row('row-00121', '3') : each));
    equal(await read(database, ({ base }) => base.scan('tasks')), expected, 'and are there afterwards');
  },

  'refuses an operation after its transaction': async (bench) => {
    const database = await bench.open();
    let kept: { put(key: string, value: object): Promise<void> } | undefined;
    await write(database, async ({ meta }) => {
      kept = meta;
      await meta.put('a', {});
    });
    await rejects(Promise.resolve(kept?.put('b', {})), 'transaction is over', 'an operation that comes late');
    equal(await read(database, ({ meta }) => meta.get('b')), undefined, 'it wrote nothing');
  },
};
