import type { BaseRow } from '../../storage.ts';
import type { Bench, Cases } from './device.ts';
import { equal, idOf, read, row, rows, walked, write } from './check.ts';

/** Around the 200 rows that a storage may keep in one record. */
const SIZES = [1, 199, 200, 201, 399, 400, 401, 1000];

/** What the base has beyond the rest: many rows at a time. */
export const ROWS: Cases = {
  ...Object.fromEntries(SIZES.map((size) => [`keeps ${size} rows, put at once or one by one`, keeps(size)])),

  'gives rows in the order of the ids asked for, and undefined for those that are not there': async (
    bench,
  ) => {
    const database = await bench.open();
    await write(database, ({ base }) => base.put('tasks', rows(0, 450)));
    const ids = ['row-00449', 'none', 'row-00000', 'row-00200', 'row-00199', 'row-00000', '', 7];
    const found = await read(database, ({ base }) => base.get('tasks', ids));
    equal(
      found.map((each) => each?.id),
      ['row-00449', undefined, 'row-00000', 'row-00200', 'row-00199', 'row-00000', undefined, undefined],
      'the rows',
    );
    const [of, none] = await read(database, async ({ base }) => [
      await base.get('other', ['row-00000']),
      await base.get('tasks', []),
    ]);
    equal([of, none], [[undefined], []], 'a collection that is not there, and no ids');
  },

  'takes the last row of an id that is given twice': async (bench) => {
    const database = await bench.open();
    await write(database, async ({ base }) => {
      await base.put('tasks', [row('a', '1'), row('b', '1'), row('a', '2'), row('c', '1'), row('a', '3')]);
      await base.put('tasks', []);
      await base.delete('tasks', ['c', 'c', 'none']);
      await base.delete('other', ['a']);
    });
    equal(await read(database, ({ base }) => base.scan('tasks')), [row('a', '3'), row('b', '1')], 'the rows');
  },

  'changes and removes rows in the middle of many': async (bench) => {
    const database = await bench.open();
    const model = new Map(rows(0, 1000).map((each) => [each.id, each]));
    await write(database, ({ base }) => base.put('tasks', rows(0, 1000)));
    const change = async (changed: readonly BaseRow[], removed: readonly string[]) => {
      await write(database, async ({ base }) => {
        await base.put('tasks', changed);
        await base.delete('tasks', removed);
      });
      for (const each of changed) model.set(each.id, each);
      for (const id of removed) model.delete(id);
      const expected = [...model.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
      equal(await read(database, ({ base }) => base.scan('tasks')), expected, 'the rows');
      equal(await read(database, ({ base }) => walked(base, 'tasks')), expected, 'the rows, on a walk');
    };
    await change(rows(195, 205, '2'), []);
    await change([row('row-00300-between', '3'), row('a-first'), row('z-last')], []);
    await change(
      [],
      rows(200, 400).map(({ id }) => String(id)),
    );
    await change(
      rows(250, 260, '4'),
      rows(0, 1000)
        .filter((_, at) => at % 2)
        .map(({ id }) => String(id)),
    );
    await change(
      Array.from({ length: 500 }, (_, at) => row(`${idOf(500)}-${idOf(at)}`)),
      ['z-last'],
    );
    await change([], [...model.keys()].map(String));
    await change([row('back')], []);
  },

  'keeps rows without version, deleted ones, local ones and large ones': async (bench) => {
    const database = await bench.open();
    const large = 'ü漢'.repeat(100_000);
    const kept: BaseRow[] = [
      { id: 'a', version: null, data: { text: 'unsynced' }, generation: 3, local: true },
      { id: 'b', version: 'v', data: null, generation: 1 },
      { id: 'c', version: 'v', data: { large }, generation: 2 },
      { id: 'd', version: 'v', data: {}, generation: 0 },
    ];
    await write(database, ({ base }) => base.put('tasks', kept));
    equal(await read(database, ({ base }) => base.scan('tasks')), kept, 'the rows');
    equal(
      await read(database, ({ base }) => base.get('tasks', ['c', 'a'])),
      [kept[2], kept[0]],
      'single ones',
    );
  },
};

function keeps(size: number): (bench: Bench) => Promise<void> {
  return async (bench) => {
    const database = await bench.open();
    const all = rows(0, size);
    const some = [...all.keys()].filter((at) => at % 7 === 0).map((at) => idOf(at));
    await write(database, async ({ base }) => {
      await base.put('once', all);
      for (let at = 0; at < size; at += 50) await base.put('pages', all.slice(at, at + 50));
      const scattered = all.map((_, at) => all[(at * 7919) % size] as BaseRow);
      if (size <= 401) for (const each of scattered) await base.put('single', [each]);
      else for (let at = 0; at < size; at += 90) await base.put('single', scattered.slice(at, at + 90));
      await base.put('backwards', [...all].reverse());
      for (let at = size; at > 0; at -= 40) await base.put('descending', all.slice(Math.max(0, at - 40), at));
    });
    await read(database, async ({ base }) => {
      for (const collection of ['once', 'pages', 'single', 'backwards', 'descending']) {
        equal(await base.scan(collection), all, `all rows (${collection})`);
        equal(await walked(base, collection), all, `all rows, on a walk (${collection})`);
        equal(
          (await base.get(collection, some)).map((each) => each?.id),
          some,
          `rows by id (${collection})`,
        );
        for (const at of [0, 1, 198, 199, 200, 201, 399, 400, size - 1]) {
          const [after, limit] = [idOf(at), 3];
          equal(
            await base.scan(collection, { after, limit }),
            all.slice(at + 1, at + 4),
            `from ${at} on (${collection})`,
          );
        }
        for (const limit of [1, 199, 200, 201, 5000])
          equal(
            await base.scan(collection, { limit }),
            all.slice(0, limit),
            `the first ${limit} (${collection})`,
          );
        equal(
          await base.scan(collection, { after: `${idOf(0)}-` }),
          all.slice(1),
          `behind no row (${collection})`,
        );
      }
    });
  };
}
