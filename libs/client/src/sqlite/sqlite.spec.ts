import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientStorage } from '../storage.ts';
import { storageContract, type StorageDevice } from '../testing/index.ts';
import { betterSqlite3 } from './better-sqlite3.ts';
import { capacitorSqlite } from './capacitor.ts';
import type { SqliteConnection } from './connection.ts';
import { expoSqlite } from './expo.ts';
import { sqlite } from './index.ts';
import { nodeSqlite } from './node.ts';
import { opSqlite } from './op.ts';
import type { SynchronousDatabase } from './synchronous.ts';

type Constructor = new (path: string) => SynchronousDatabase;
type Values = (string | number)[];

const load = createRequire(__filename);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sync-sqlite-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function better(path: string): SynchronousDatabase {
  try {
    return new (load('better-sqlite3') as Constructor)(path);
  } catch (cause) {
    throw new Error(
      'better-sqlite3 could not be loaded. npm leaves it out when it can neither be downloaded nor built: see ' +
        '`npm rebuild better-sqlite3`.',
      { cause },
    );
  }
}

/** A device with one file; its room can be limited, as it is the same SQLite in all drivers. */
function device(name: string, open: (path: string) => SqliteConnection | Promise<SqliteConnection>) {
  const connections = new Set<SqliteConnection>();
  const limit = async (pages: number) => {
    for (const connection of connections) await connection.all(`PRAGMA max_page_count = ${pages}`, []);
  };
  return {
    storage: () =>
      sqlite(async () => {
        const connection = await open(join(folder, name));
        const watched: SqliteConnection = {
          ...connection,
          close: () => {
            connections.delete(watched);
            return connection.close();
          },
        };
        connections.add(watched);
        return watched;
      }),
    fill: async () => {
      // As many as there are: SQLite takes no less.
      await limit(1);
      return () => limit(1_000_000);
    },
  } satisfies StorageDevice;
}

describe('the contract of storages, by better-sqlite3', () => {
  const contract = storageContract(device('better.db', (path) => betterSqlite3(better(path))));
  it.each(contract)('$name', ({ run }) => run());
});

const NODE_HAS_IT = process.getBuiltinModule('node:sqlite') !== undefined;

describe(`the contract of storages, by node:sqlite${NODE_HAS_IT ? '' : ' (this Node has none)'}`, () => {
  const { DatabaseSync } = (process.getBuiltinModule('node:sqlite') ?? {}) as { DatabaseSync: Constructor };
  const contract = storageContract(device('node.db', (path) => nodeSqlite(new DatabaseSync(path))));
  (NODE_HAS_IT ? it : it.skip).each(contract)('$name', ({ run }) => run());
});

/** Objects like those of packages that only run on phones, over the same SQLite: they answer later. */
const PHONES: Readonly<
  Record<string, (database: SynchronousDatabase) => SqliteConnection | Promise<SqliteConnection>>
> = {
  'expo-sqlite': (database) =>
    expoSqlite({
      execAsync: (sql) => later(() => void database.exec(sql)),
      runAsync: (sql, values) => later(() => database.prepare(sql).run(...values)),
      getAllAsync: (sql, values) => later(() => database.prepare(sql).all(...values)),
      closeAsync: () => later(() => void database.close()),
    }),
  'op-sqlite': (database) => {
    const execute = (sql: string, values: Values = []) =>
      later(() => {
        const statement = database.prepare(sql) as ReturnType<SynchronousDatabase['prepare']> & {
          reader: boolean;
        };
        const rows = statement.reader ? statement.all(...values) : [];
        if (!statement.reader) statement.run(...values);
        return { rows: rows as Record<string, unknown>[] };
      });
    return opSqlite({ execute, close: () => void database.close() });
  },
  capacitor: (database) =>
    capacitorSqlite({
      open: () => later(() => undefined),
      execute: (sql) => later(() => database.exec(sql)),
      run: (sql, values = []) => later(() => database.prepare(sql).run(...values)),
      query: (sql, values = []) => later(() => ({ values: database.prepare(sql).all(...values) })),
      close: () => later(() => void database.close()),
    }),
};

async function later<T>(work: () => T): Promise<T> {
  await new Promise(setImmediate);
  return work();
}

describe.each(Object.entries(PHONES))('a driver that answers later: %s', (name, adapt) => {
  const some =
    /every store|throws|order in which|what is not whole|without awaiting|no room|removed while|seed 1/;
  const contract = storageContract(device(`${name}.db`, (path) => adapt(better(path))));
  it.each(contract.filter((each) => some.test(each.name)))('$name', ({ run }) => run());
});

describe('the file', () => {
  const open = (name: string): ClientStorage => sqlite(() => betterSqlite3(better(join(folder, name))));

  it('gives the room of a removed database back', async () => {
    const storage = open('room.db');
    const [kept, removed] = [await storage.open('kept'), await storage.open('removed')];
    await removed.transaction('write', ['base'], ({ base }) =>
      base.put('tasks', [{ id: 1, version: '1', data: { text: 'x'.repeat(2_000_000) }, generation: 1 }]),
    );
    const { usage = 0 } = await kept.estimate();
    await storage.remove('removed');
    expect(usage).toBeGreaterThan(2_000_000);
    expect((await kept.estimate()).usage).toBeLessThan(200_000);
    await removed.close();
    await kept.close();
    expect(statSync(join(folder, 'room.db')).size).toBeLessThan(200_000);
  });

  it('is not touched when a newer version has written it', async () => {
    const database = await open('newer.db').open('one');
    await database.transaction('write', ['meta'], ({ meta }) => meta.put('a', {}));
    const newer = better(join(folder, 'newer.db'));
    newer.exec('PRAGMA user_version = 1000');
    await expect(
      database.transaction('write', ['meta'], ({ meta }) => meta.put('b', {})),
    ).rejects.toMatchObject({ code: 'storage_lost' });
    await expect(open('newer.db').open('one')).rejects.toMatchObject({ code: 'storage_outdated' });
    await expect(open('newer.db').remove('one')).rejects.toMatchObject({ code: 'storage_outdated' });
    newer.exec('PRAGMA user_version = 1');
    expect(
      await (await open('newer.db').open('one')).transaction('read', ['meta'], ({ meta }) => meta.range()),
    ).toEqual([['a', {}]]);
  });

  it('fails with the reason when it cannot be opened', async () => {
    const nowhere = sqlite(() =>
      betterSqlite3(new (load('better-sqlite3') as Constructor)('/nowhere/at/all.db')),
    );
    await expect(nowhere.open('one')).rejects.toMatchObject({ code: 'storage_failed' });
    await expect(nowhere.list()).rejects.toThrow(/directory does not exist/);
  });
});
