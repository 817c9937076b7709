import type { Cases } from './device.ts';
import { equal, read, row, write } from './check.ts';

/** Number 6 of the contract. */
export const VALUES: Cases = {
  'keeps any JSON, and the order of its fields': async (bench) => {
    const database = await bench.open();
    const data = JSON.parse(
      `{"z":1,"a":{"y":[1,-0.5,1e21,5e-324,9007199254740991,true,false,null,"",[],{}],"10":"x","2":"y"},
        "":"empty name","__proto__":{"admin":true},"constructor":"text","length":3,
        "quotes":"\\"'\\\\\\n\\u0000\\u2028\\u2029","high":"\\ud800","low":"\\udc00 and more","pair":"\\ud83d\\ude00",
        "swapped":"\\udc00\\ud800","\\ud800":"lone in a name","date":"2026-11-29T00:00:00.000Z","long":"${'x'.repeat(70_000)}"}`,
    ) as Record<string, never>;
    await write(database, async ({ base, view, outbox, rejected, meta }) => {
      await base.put('tasks', [row('a', '1', data)]);
      await view.put('tasks', 'a', data);
      await outbox.put(1, data);
      await rejected.put('a', data);
      await meta.put('a', data);
    });
    await read(database, async ({ base, view, outbox, rejected, meta }) => {
      const kept = {
        base: (await base.get('tasks', ['a']))[0]?.data,
        view: await view.get('tasks', 'a'),
        outbox: await outbox.get(1),
        rejected: await rejected.get('a'),
        meta: await meta.get('a'),
      };
      for (const [store, value] of Object.entries(kept)) equal(value, data, `the value in ${store}`);
      equal(Object.getPrototypeOf(kept.base), Object.prototype, 'no value becomes a prototype');
    });
  },

  'keeps values that are nested deep, arrays, and what is a list at the top': async (bench) => {
    const database = await bench.open();
    let deep: object = { end: true };
    for (let level = 0; level < 400; level++) deep = level % 2 ? { deep } : [deep];
    await write(database, async ({ meta, base, outbox }) => {
      await meta.put('deep', deep);
      await meta.put('list', [1, [2, { three: 3 }], null]);
      await base.put('tasks', [row('deep', '1', { deep } as never)]);
      await outbox.put(1, []);
    });
    await read(database, async ({ meta, base, outbox }) => {
      equal(await meta.get('deep'), deep, 'a deep value');
      equal(await meta.get('list'), [1, [2, { three: 3 }], null], 'a list');
      equal(await base.scan('tasks'), [row('deep', '1', { deep } as never)], 'a deep document');
      equal(await outbox.range(), [[1, []]], 'an empty list');
    });
  },

  'replaces a value as a whole, and finds nothing where nothing is': async (bench) => {
    const database = await bench.open();
    await write(database, async ({ meta, view }) => {
      await meta.put('a', { one: 1, two: 2 });
      await meta.put('a', { three: 3 });
      await view.put('tasks', 1, { one: 1 });
      await view.put('tasks', 1, { two: 2 });
      await view.delete('tasks', 'none');
      await meta.delete('none');
    });
    await read(database, async ({ meta, view, outbox, rejected }) => {
      equal(await meta.range(), [['a', { three: 3 }]], 'a value by name');
      equal(await view.scan('tasks'), [[1, { two: 2 }]], 'a document');
      const none = [
        await meta.get('b'),
        await view.get('tasks', 2),
        await outbox.get(0),
        await rejected.get(''),
      ];
      equal(none, [undefined, undefined, undefined, undefined], 'nothing');
      equal(await view.scan('other'), [], 'no collection');
    });
  },
};
