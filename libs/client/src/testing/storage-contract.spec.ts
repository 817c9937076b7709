import { memory } from '../memory.ts';
import type { BaseStore, ClientStorage, Database, StoreName, Stores, TransactionMode } from '../storage.ts';
import { storageContract } from './storage-contract.ts';

describe('the storage in memory', () => {
  const storage = memory();
  it.each(storageContract({ storage: () => storage }))('$name', ({ run }) => run());
});

type Body = (stores: Stores) => Promise<unknown>;
type Run = (mode: TransactionMode, stores: readonly StoreName[], body: Body) => Promise<unknown>;

/** The storage in memory with one defect. */
function defective(change: (run: Run, database: Database) => Partial<Database>): ClientStorage {
  const sound = memory();
  return {
    ...sound,
    open: async (name) => {
      const database = await sound.open(name);
      const run = database.transaction.bind(database) as Run;
      const changed = change(run, database);
      return new Proxy(database, {
        get: (target, field) => {
          const value = changed[field as keyof Database] ?? Reflect.get(target, field);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
  };
}

const transaction = (run: Run): Partial<Database> => ({ transaction: run as Database['transaction'] });
const withBase = (change: (base: BaseStore) => Partial<BaseStore>) =>
  defective((run) =>
    transaction((mode, stores, body) =>
      run(mode, stores, (given) =>
        body({ ...given, ...(given.base && { base: { ...given.base, ...change(given.base) } }) }),
      ),
    ),
  );

describe('the suite notices a storage that', () => {
  const defects: readonly [string, ClientStorage][] = [
    [
      'keeps what a body wrote before it threw',
      defective((run) =>
        transaction(async (mode, stores, body) => {
          let failure: Error | undefined;
          const result = await run(mode, stores, (given) =>
            body(given).catch((error: unknown) => (failure = error as Error)),
          );
          if (failure) throw failure;
          return result;
        }),
      ),
    ],
    [
      'lets bodies run at the same time',
      defective((run) =>
        transaction(async (mode, stores, body) => {
          let given: Stores | undefined;
          await run(mode, stores, async (all) => (given = all));
          return body(new Proxy(given!, { get: (target, name) => late(run, mode, target, name) }));
        }),
      ),
    ],
    [
      'takes 1 and "1" for the same',
      withBase((base) => ({ get: (name, ids) => base.get(name, ids.map(String)) })),
    ],
    [
      'loses the row behind the 200th',
      withBase((base) => ({
        scan: async (name, options) => (await base.scan(name, options)).filter((_, at) => at !== 200),
      })),
    ],
    [
      'takes the first of two rows of an id',
      withBase((base) => ({ put: (name, rows) => base.put(name, [...rows].reverse()) })),
    ],
    [
      'includes the id that a scan begins behind',
      withBase((base) => ({
        scan: async (name, { after, limit = Infinity } = {}) =>
          (await base.scan(name)).filter(({ id }) => after === undefined || id >= after).slice(0, limit),
      })),
    ],
    ['clears more than the collection', withBase((base) => ({ clear: () => base.clear() }))],
    ['goes on after close', defective(() => ({ close: async () => undefined }))],
    [
      'tells of a loss twice',
      defective((_, database) => ({
        onLost: (listener) => database.onLost((loss) => [listener(loss), listener(loss)]),
      })),
    ],
    ['names too few databases', { ...defective(() => ({})), list: async () => [] }],
  ];

  it.each(defects)('%s', async (_, storage) => {
    const all = async () => {
      for (const { run } of storageContract({ storage: () => storage })) await run();
    };
    await expect(all()).rejects.toThrow();
  });
});

/** A store each of whose operations is a transaction of its own. */
function late(run: Run, mode: TransactionMode, target: Stores, name: string | symbol): unknown {
  const store = target[name as StoreName] as object;
  return new Proxy(store, {
    get:
      (_, operation) =>
      (...args: unknown[]) =>
        run(mode, [name as StoreName], (stores) =>
          Reflect.get(stores[name as StoreName], operation)(...args),
        ),
  });
}
