import fc from 'fast-check';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { runs } from '../../../test/support/runs.ts';
import { makeEdits } from './edits.ts';
import { environment } from './environment.ts';
import { randomId } from './ids.ts';
import { LiveQuery, type LiveRows } from './live-query.ts';
import { memory } from './memory.ts';
import { Value } from './observable.ts';
import { Replica } from './replica.ts';
import { matches, orderOf, type Query, type Row } from './rules/query.ts';
import { Table } from './table.ts';
import { settle } from './testing/virtual-time.ts';

interface Doc {
  a?: unknown;
  b?: unknown;
}
const INDEXES = [['a'], ['b'], ['a', 'b']];

async function world(indexes: readonly (readonly string[])[] = INDEXES) {
  const database = await memory().open('one');
  let walks = 0;
  const replica = await Replica.open(database, environment(), undefined);
  const walk = replica.walk.bind(replica);
  replica.walk = (...given) => {
    walks += 1;
    return walk(...given);
  };
  const replicas = new Value<Replica | undefined>(replica);
  const table = new Table<Doc>(replicas, 'c', indexes);
  let version = 0;
  return {
    replica,
    replicas,
    table,
    walks: () => walks,
    /** What the server says; null: deleted. */
    learn: async (rows: Readonly<Record<string, JsonObject | null>>) =>
      replica.write('user', async (work) => {
        const learnt = Object.entries(rows).map(([id, data]) => ({
          id,
          version: `v${String(++version).padStart(9, '0')}`,
          data,
          generation: 0,
        }));
        await work.learn('c', learnt);
      }),
    edit: async (id: string, data: JsonObject | null) =>
      replica.write('user', async (work) => {
        const change = data ? ({ operation: 'upsert', data } as const) : ({ operation: 'delete' } as const);
        const { nextChain, nextBase } = await work.document('c', id);
        const last = nextChain.at(-1);
        if (!data && !(last ? last.after : nextBase?.data)) return;
        const intent = { collection: 'c', doc: id, kind: change.operation, change: () => change };
        await makeEdits(work, [{ ...intent, mutation: randomId(replica.environment) }], {
          editedAt: 0,
          coalesces: () => true,
        });
      }),
    /** By looking at every document. */
    scanned: async (query: Query<Doc>) => {
      const all: Row<Doc>[] = [];
      await walk('c', () => {
        all.length = 0;
        return (id, data) => all.push({ ...data, _id: id });
      });
      return all
        .filter((row) => matches(query, row))
        .sort(orderOf(query))
        .slice(0, query.limit);
    },
  };
}

const value = fc.oneof(
  fc.nat({ max: 3 }),
  fc.constantFrom('', 'x', 'y', true, false, null, undefined),
  fc.constantFrom({ n: 1 }, [1], []),
);
const given = value.filter((each) => each !== undefined);
const condition = fc.oneof(
  given,
  fc.record(
    { gt: given, gte: given, lt: given, lte: given, in: fc.array(given, { maxLength: 3 }) },
    { requiredKeys: [] },
  ),
);
const query = fc.record(
  {
    where: fc.record({ a: condition, b: condition }, { requiredKeys: [] }),
    orderBy: fc.constantFrom(
      'a',
      'b',
      ['a', 'desc'],
      ['b', 'desc'],
      ['a', 'b'],
      [
        ['a', 'desc'],
        ['b', 'desc'],
      ],
      [['a', 'desc'], 'b'],
    ),
    limit: fc.nat({ max: 4 }),
    filter: fc.constant((row: Row<Doc>) => typeof row.b !== 'boolean'),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Query<Doc>>;
const id = fc.constantFrom(...'abcdefghij');
const data = fc.option(
  fc
    .record({ a: value, b: value }, { noNullPrototype: true })
    .map((each) => JSON.parse(JSON.stringify(each)) as JsonObject),
  { freq: 4 },
);
const step = fc.oneof(
  fc.record({ by: fc.constant('user' as const), id, data }),
  fc.record({ by: fc.constant('server' as const), rows: fc.dictionary(id, data, { maxKeys: 6 }) }),
);

it('finds with an index what a look at every document finds, once and as it changes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(query, { minLength: 1, maxLength: 4 }),
      fc.dictionary(id, data),
      fc.array(fc.tuple(step, fc.boolean()), { maxLength: 12 }),
      async (queries, first, steps) => {
        const { table, learn, edit, scanned } = await world();
        await learn(first);
        const lives = queries.map((each) => new LiveQuery<Doc>(table, each));
        const leaves = lives.map((each) => each.subscribe(() => undefined));
        for (const [each, waits] of [...steps, [{ by: 'server', rows: {} }, true]] as typeof steps) {
          if (each.by === 'user') await edit(each.id, each.data);
          else await learn(each.rows);
          // Or the next change comes before this one was told.
          if (!waits) continue;
          await settle();
          for (const [at, one] of queries.entries()) {
            const expected = await scanned(one);
            expect(await table.find(table.source as Replica, one)).toEqual(expected);
            expect(lives[at]!.current.rows).toEqual(expected);
          }
        }
        for (const leave of leaves) leave();
      },
    ),
    runs(200),
  );
});

it('looks many changes at a time in their order', async () => {
  const { table, learn, scanned } = await world();
  const one: Query<Doc> = { where: { a: { gte: 10 } }, orderBy: ['a', 'desc'], limit: 7 };
  const live = new LiveQuery<Doc>(table, one);
  live.subscribe(() => undefined);
  for (const shift of [0, 1, 2]) {
    await learn(
      Object.fromEntries(
        Array.from({ length: 300 }, (_, at) => [`d${at}`, { a: (at * 7 + shift * 50) % 100 }]),
      ),
    );
    await settle();
    expect(live.current.rows).toEqual(await scanned(one));
    expect(await table.find(table.source as Replica, one)).toEqual(await scanned(one));
  }
});

it('reads the storage once for queries that begin together, and not at all for a change', async () => {
  const { table, learn, edit, walks, replica } = await world();
  await learn({ x: { a: 1, b: 1 }, y: { a: 2 } });
  const seen: LiveRows<Doc>[] = [];
  new LiveQuery<Doc>(table, {}).subscribe((rows) => seen.push(rows));
  new LiveQuery<Doc>(table, { filter: ({ a }) => a === 2 }).subscribe((rows) => seen.push(rows));
  new LiveQuery<Doc>(table, { where: { a: 1 } }).subscribe((rows) => seen.push(rows));
  await settle();
  expect(walks()).toBe(1);
  const look = jest.spyOn(replica, 'look');
  await edit('y', { a: 1 });
  await settle();
  // A later one takes what the first has.
  new LiveQuery<Doc>(table, { where: { b: 1 }, filter: ({ a }) => a === 1 }).subscribe((rows) =>
    seen.push(rows),
  );
  await settle();
  expect(seen.map(({ rows }) => rows.map(({ _id }) => _id).join(''))).toEqual([
    'xy',
    'y',
    'x',
    'xy',
    '',
    'xy',
    'x',
  ]);
  expect(look.mock.calls.length).toBeLessThanOrEqual(2);
});

it('shows nothing of one user to the next, also not before it has looked', async () => {
  const { table, learn, replicas, replica } = await world();
  await learn({ x: { a: 1 } });
  const live = new LiveQuery<Doc>(table, { where: { a: 1 } });
  const leave = live.subscribe(() => undefined);
  await settle();
  expect(live.current.rows).toHaveLength(1);
  leave();
  replicas.set(undefined);
  live.subscribe(() => undefined);
  expect(live.current.rows).toEqual([]);
  replicas.set(replica);
  await settle();
  expect(live.current.rows).toHaveLength(1);
  replicas.set(undefined);
  expect(live.current.rows).toEqual([]);
});
