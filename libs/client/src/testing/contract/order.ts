import type { Cases } from './device.ts';
import { compareIds, equal, orderOf, read, row, write } from './check.ts';

const NUMBERS = [-9007199254740991, -20, -3, 0, 1, 7, 10, 9007199254740991];
const TEXTS = [
  ...['', ' ', '1', '10', '7', 'A', 'Z', 'a', 'a\0b', 'a\u0001b', 'aa', 'b', 'é', 'ÿ', 'Ā', '漢', '\ud7ff'],
  ...['\ud83d\ude00', '\ud800', '\udfff', '\ud800x', 'x\udc00', '\udc00\ud800'],
  ...['\ue000', '\uf000', '\uffff', '\0', '\u0001', '\u0001\u0001', "it's", '%', '_', '/', '"'],
];

/** Number 7 of the contract, and what follows from it for ranges. */
export const ORDER: Cases = {
  'orders ids: numbers by size, then strings, and takes 1 and "1" for two': async (bench) => {
    const database = await bench.open();
    const order = await orderOf(database);
    const ids = [...NUMBERS, ...TEXTS].sort((a, b) => compareIds(order, a, b));
    await write(database, async ({ base, view }) => {
      // Backwards and from the middle, so that the order is not that of the writes.
      for (const id of [...ids.slice(9), ...ids.slice(0, 9)].reverse()) await view.put('tasks', id, { id });
      await base.put(
        'tasks',
        [...ids.slice(20), ...ids.slice(0, 20)].map((id) => row(id, '1', { id })),
      );
    });
    await read(database, async ({ base, view }) => {
      equal(
        await view.scan('tasks'),
        ids.map((id) => [id, { id }]),
        'the order of documents',
      );
      equal(
        await base.scan('tasks'),
        ids.map((id) => row(id, '1', { id })),
        'the order of rows',
      );
      for (const [at, id] of ids.entries()) {
        equal(await view.get('tasks', id), { id }, 'each is found');
        const after = await view.scan('tasks', { after: id, limit: 2 });
        equal(
          after.map(([found]) => found),
          ids.slice(at + 1, at + 3),
          'the documents behind an id',
        );
        const behind = await base.scan('tasks', { after: id, limit: 2 });
        equal(
          behind.map(({ id: found }) => found),
          ids.slice(at + 1, at + 3),
          'the rows behind an id',
        );
      }
      equal(
        (await base.get('tasks', [...ids].reverse())).map((found) => found?.id),
        [...ids].reverse(),
        'rows',
      );
    });
    await write(database, async ({ base, view }) => {
      await view.delete('tasks', 1);
      await base.delete('tasks', ['1']);
      equal(
        [await view.get('tasks', 1), await view.get('tasks', '1')],
        [undefined, { id: '1' }],
        '1 is gone',
      );
      equal(
        (await base.get('tasks', [1, '1'])).map((found) => found?.id),
        [1, undefined],
        '"1" is gone',
      );
    });
  },

  'keeps collections apart, whatever their names are': async (bench) => {
    const database = await bench.open();
    const names = [
      '',
      'a',
      'a/',
      'a/b',
      'b',
      'base',
      'a\0',
      '\ud800',
      '\udfff',
      '\ufffd',
      'A',
      '%',
      'a_',
      'a%',
    ];
    await write(database, async ({ base, view }) => {
      for (const name of names) {
        await base.put(name, [row(1, '1', { name }), row('x', '1', { name })]);
        await view.put(name, 'x', { name });
      }
    });
    const left = async () =>
      read(database, async ({ base, view }) => {
        const found: string[] = [];
        for (const name of names) {
          const [inBase, inView] = [await base.scan(name), await view.scan(name)];
          if (inBase.length || inView.length) found.push(name);
          for (const { data } of inBase) equal(data, { name }, 'a row is in its collection');
          for (const [, document] of inView) equal(document, { name }, 'a document is in its collection');
        }
        return found;
      });
    equal(await left(), names, 'all of them are there');
    const cleared = ['a', '\ud800', 'a%', ''];
    await write(database, async ({ base, view }) => {
      for (const name of cleared) {
        await base.clear(name);
        await view.clear(name);
      }
    });
    equal(
      await left(),
      names.filter((name) => !cleared.includes(name)),
      'the others are there',
    );
    await write(database, async ({ base, view }) => {
      await base.clear();
      await view.clear();
    });
    equal(await left(), [], 'nothing is there');
  },

  'gives ranges of numbers from both sides': async (bench) => {
    const database = await bench.open();
    const keys = [-20, -3, 0, 1, 7, 10];
    await write(database, async ({ outbox }) => {
      for (const key of [7, 10, -3, 0, -20, 1]) await outbox.put(key, { key });
    });
    await read(database, async ({ outbox }) => {
      const found = async (options?: Parameters<typeof outbox.range>[0]) =>
        (await outbox.range(options)).map(([key, value]) => {
          equal(value, { key }, 'each key has its value');
          return key;
        });
      equal(await found(), keys, 'all, in order');
      equal(await found({ reverse: true }), [...keys].reverse(), 'all, from the highest');
      equal(await found({ from: -3, to: 7 }), [-3, 0, 1, 7], 'both ends are in it');
      equal(await found({ from: -2, to: 6 }), [0, 1], 'between keys');
      equal(await found({ from: 2, limit: 1 }), [7], 'the first from 2');
      equal(await found({ reverse: true, limit: 2 }), [10, 7], 'the last two');
      equal(await found({ reverse: true, to: 6, limit: 1 }), [1], 'the last up to 6');
      equal(await found({ from: 8, to: 3 }), [], 'an empty range');
      equal(await found({ from: 11 }), [], 'behind the last');
    });
    await write(database, async ({ outbox }) => {
      await outbox.delete(0);
      await outbox.delete(5);
      await outbox.put(1, { key: 'replaced' });
      equal(await outbox.get(1), { key: 'replaced' }, 'a put replaces');
      equal((await outbox.range({ to: 1 })).length, 3, 'one is removed, and removing nothing is no error');
      await outbox.clear();
      equal(await outbox.range(), [], 'clear removes all');
    });
  },

  'gives ranges of names': async (bench) => {
    const database = await bench.open();
    const order = await orderOf(database);
    const names = [...TEXTS].sort(order);
    await write(database, async ({ meta, rejected }) => {
      for (const name of TEXTS) await meta.put(name, { name });
      await rejected.put('other', {});
    });
    await read(database, async ({ meta, rejected }) => {
      const found = async (options?: Parameters<typeof meta.range>[0]) =>
        (await meta.range(options)).map(([name]) => name);
      equal(await found(), names, 'all, in order');
      equal(await found({ reverse: true, limit: 3 }), [...names].reverse().slice(0, 3), 'the last three');
      for (const [at, name] of names.entries()) {
        equal(await meta.get(name), { name }, 'each is found');
        equal(await found({ from: name, limit: 2 }), names.slice(at, at + 2), 'from a name on');
        equal(
          await found({ to: name, reverse: true, limit: 2 }),
          names.slice(Math.max(0, at - 1), at + 1).reverse(),
          'up to a name',
        );
      }
      equal(await rejected.range(), [['other', {}]], 'another store has its own');
    });
  },
};
