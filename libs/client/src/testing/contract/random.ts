import type { BaseRow, Database, Stores } from '../../storage.ts';
import type { Cases } from './device.ts';
import {
  chance,
  compareIds,
  contents,
  equal,
  idOf,
  orderOf,
  rejects,
  row,
  type StringOrder,
} from './check.ts';

type Id = string | number;

const SEEDS = [1, 2, 3, 4];
const ROUNDS = 40;
const COLLECTIONS = ['tasks', 'lists'];
const ODD_IDS: readonly Id[] = [-5, 0, 3, '3', '', '\ud800', '\uffff', '\u{10000}', 'row-00100-x'];

/** The stores as plain maps. */
class Model {
  readonly base = new Map(COLLECTIONS.map((name) => [name, new Map<Id, BaseRow>()]));
  readonly view = new Map(COLLECTIONS.map((name) => [name, new Map<Id, object>()]));
  readonly outbox = new Map<number, object>();
  readonly meta = new Map<string, object>();

  copy(): Model {
    const copy = new Model();
    for (const name of COLLECTIONS) {
      copy.base.set(name, new Map(this.base.get(name)));
      copy.view.set(name, new Map(this.view.get(name)));
    }
    for (const [key, value] of this.outbox) copy.outbox.set(key, value);
    for (const [key, value] of this.meta) copy.meta.set(key, value);
    return copy;
  }

  contents(order: StringOrder): object {
    const sorted = <K extends Id, V>(map: ReadonlyMap<K, V> = new Map()) =>
      [...map].sort(([a], [b]) => compareIds(order, a, b));
    return {
      base: COLLECTIONS.map((name) => sorted(this.base.get(name)).map(([, value]) => value)),
      view: COLLECTIONS.map((name) => sorted(this.view.get(name))),
      outbox: sorted(this.outbox),
      rejected: [],
      meta: sorted(this.meta),
    };
  }
}

/** Random operations: what the storage gives is what plain maps give. */
export const RANDOM: Cases = Object.fromEntries(
  SEEDS.map((seed) => [
    `behaves as plain maps under random operations, seed ${seed}`,
    async (bench) => {
      const [database, other] = [await bench.open(), await bench.again().open(bench.nameOf())];
      const order = await orderOf(database);
      const draw = chance(seed);
      let model = new Model();
      for (let round = 0; round < ROUNDS; round++) {
        const next = model.copy();
        const fails = draw() < 0.2;
        const work = change(draw() < 0.5 ? database : other, next, { draw, order, fails });
        if (fails) await rejects(work, 'taken back', `round ${round}`);
        else {
          await work;
          model = next;
        }
        equal(await contents(other, COLLECTIONS), model.contents(order), `after round ${round}`);
      }
      await other.close();
    },
  ]),
);

interface Round {
  readonly draw: () => number;
  readonly order: StringOrder;
  readonly fails: boolean;
}

/** The operations are drawn before the body is run, as it may be run again. */
async function change(database: Database, model: Model, { draw, order, fails }: Round): Promise<void> {
  const operations = Array.from({ length: 1 + Math.floor(draw() * 6) }, () => operation(draw, model, order));
  await database.transaction(
    draw() < 0.2 ? 'durable' : 'write',
    ['base', 'view', 'outbox', 'meta'],
    async (stores) => {
      for (const act of operations) await act(stores);
      if (fails) throw new Error('taken back');
    },
  );
}

type Act = (stores: Omit<Stores, 'rejected'>) => Promise<void>;

function operation(draw: () => number, model: Model, order: StringOrder): Act {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(draw() * from.length)] as T;
  const collection = pick(COLLECTIONS);
  const id = (): Id => (draw() < 0.15 ? pick(ODD_IDS) : idOf(Math.floor(draw() * 900)));
  const version = String(Math.floor(draw() * 1000));
  const base = model.base.get(collection) ?? new Map<Id, BaseRow>();
  const view = model.view.get(collection) ?? new Map<Id, object>();
  const kind = draw();
  if (kind < 0.3) {
    const start = Math.floor(draw() * 800);
    const length = pick([1, 2, 30, 199, 200, 201, 450]);
    const spread = pick([1, 1, 3]);
    const put = Array.from({ length }, (_, at) => row(idOf(start + at * spread), version, { at }));
    for (const each of put) base.set(each.id, each);
    return (stores) => stores.base.put(collection, put);
  }
  if (kind < 0.45) {
    const put = Array.from({ length: pick([1, 5, 40]) }, () => row(id(), version));
    for (const each of put) base.set(each.id, each);
    return (stores) => stores.base.put(collection, put);
  }
  if (kind < 0.6) {
    const start = Math.floor(draw() * 800);
    const ids = draw() < 0.5 ? [id(), id()] : Array.from({ length: 250 }, (_, at) => idOf(start + at));
    for (const each of ids) base.delete(each);
    return (stores) => stores.base.delete(collection, ids);
  }
  if (kind < 0.63) {
    base.clear();
    return (stores) => stores.base.clear(collection);
  }
  if (kind < 0.75) {
    const [ids, after] = [Array.from({ length: pick([1, 4, 300]) }, id), id()];
    const found = ids.map((each) => base.get(each));
    const behind = [...base.keys()].sort((a, b) => compareIds(order, a, b));
    const few = behind.filter((each) => compareIds(order, each, after) > 0).slice(0, 5);
    return async (stores) => {
      equal(await stores.base.get(collection, ids), found, 'rows inside of a transaction');
      const scan = await stores.base.scan(collection, { after, limit: 5 });
      equal(
        scan.map((each) => each.id),
        few,
        'a scan inside of a transaction',
      );
    };
  }
  if (kind < 0.85) {
    const [at, value] = [id(), { version }];
    if (draw() < 0.3) {
      view.delete(at);
      return (stores) => stores.view.delete(collection, at);
    }
    view.set(at, value);
    return (stores) => stores.view.put(collection, at, value);
  }
  const [key, value] = [Math.floor(draw() * 40) - 20, { version }];
  if (kind < 0.93) {
    model.outbox.set(key, value);
    return (stores) => stores.outbox.put(key, value);
  }
  if (kind < 0.96) {
    model.outbox.delete(key);
    return (stores) => stores.outbox.delete(key);
  }
  const name = String(id());
  model.meta.set(name, value);
  return (stores) => stores.meta.put(name, value);
}
