import 'fake-indexeddb/auto';
import { forceCloseDatabase } from 'fake-indexeddb';
import { StorageFailedError, StorageLostError } from '../errors.ts';
import type { BaseRow, Database } from '../storage.ts';
import { storageContract } from '../testing/storage-contract.ts';
import { indexedDb } from './index.ts';

const PREFIX = 'nest-offline-sync:';
const connections = new Set<IDBDatabase>();
const transactions = new Set<IDBTransaction>();
const { open } = IDBFactory.prototype;
const { transaction: begin } = IDBDatabase.prototype;

beforeAll(() => {
  IDBDatabase.prototype.transaction = function (...args) {
    const transaction = begin.apply(this, args);
    transactions.add(transaction);
    for (const end of ['complete', 'abort'])
      transaction.addEventListener(end, () => transactions.delete(transaction));
    return transaction;
  };
  IDBFactory.prototype.open = function (...args) {
    const request = open.apply(this, args);
    request.addEventListener('success', () => connections.add(request.result));
    return request;
  };
});

/** Closes connections as a browser does when its process for storage dies. */
async function disconnect(name: string): Promise<void> {
  for (const transaction of transactions) if (transaction.db.name === PREFIX + name) transaction.abort();
  for (const connection of connections)
    if (connection.name === PREFIX + name) forceCloseDatabase(connection as never);
}

async function clear(): Promise<void> {
  await Promise.all((await indexedDb().list()).map((name) => disconnect(name)));
  for (const name of await indexedDb().list())
    await new Promise((resolve) => (indexedDB.deleteDatabase(PREFIX + name).onsuccess = resolve));
}

describe('the contract of storages, by fake-indexeddb', () => {
  it.each(storageContract({ storage: indexedDb, disconnect }))('$name', ({ run }) => run());
});

const row = (n: number, version = '1'): BaseRow => ({
  id: `row-${String(n).padStart(5, '0')}`,
  version,
  data: { n },
  generation: 1,
});
const rows = (from: number, to: number, version?: string) =>
  Array.from({ length: to - from }, (_, at) => row(from + at, version));

async function opened(): Promise<Database> {
  const storage = indexedDb();
  await storage.remove('one');
  return storage.open('one');
}

async function count(store: 'segments' | 'loose'): Promise<number> {
  const connection = [...connections].filter(({ name }) => name === `${PREFIX}one`).at(-1);
  const request = connection!.transaction(store).objectStore(store).count();
  await new Promise((resolve) => (request.onsuccess = resolve));
  return request.result;
}

describe('the base', () => {
  const put = (database: Database, some: readonly BaseRow[]) =>
    database.transaction('write', ['base'], ({ base }) => base.put('tasks', some));

  it('keeps a first load in segments that are nearly full', async () => {
    const database = await opened();
    for (let at = 0; at < 5000; at += 500) await put(database, rows(at, at + 500));
    expect([await count('segments'), await count('loose')]).toEqual([30, 0]);
    await database.close();
  });

  it('keeps single changes as loose rows, until a segment has too many', async () => {
    const database = await opened();
    await put(database, rows(0, 1000));
    for (let at = 0; at < 99; at++) await put(database, [row(400 + at, '2')]);
    expect([await count('segments'), await count('loose')]).toEqual([5, 99]);
    await put(database, [row(499, '2')]);
    expect([await count('segments'), await count('loose')]).toEqual([5, 0]);
    await put(database, [row(700, '2')]);
    await put(database, rows(650, 800, '3'));
    expect([await count('segments'), await count('loose')]).toEqual([5, 0]);
    const all = await database.transaction('read', ['base'], ({ base }) => base.scan('tasks'));
    expect(all.map(({ version }) => Number(version))).toEqual(
      rows(0, 1000).map((_, at) => (at >= 400 && at < 500 ? 2 : at >= 650 && at < 800 ? 3 : 1)),
    );
    await database.close();
  });

  it('keeps the number of loose rows in bounds when changes are spread', async () => {
    const database = await opened();
    await put(database, rows(0, 4000));
    for (let round = 0; round < 60; round++)
      await put(
        database,
        rows(0, 20).map((_, at) => row((at * 200 + round * 7) % 4000, String(round))),
      );
    expect(await count('loose')).toBeLessThan(20 * 110);
    expect(await count('segments')).toBeLessThan(45);
    await database.close();
  });
});

describe('a transaction', () => {
  it('is spoiled by a value that cannot be kept, also if the body caught that', async () => {
    const database = await opened();
    const work = database.transaction('write', ['meta'], async ({ meta }) => {
      await meta.put('a', {});
      await meta.put('b', { run: () => 1 }).catch(() => undefined);
    });
    await expect(work).rejects.toBeInstanceOf(StorageFailedError);
    expect(await database.transaction('read', ['meta'], ({ meta }) => meta.range())).toEqual([]);
    await database.close();
  });

  it('is begun again when the connection breaks under its body', async () => {
    const database = await opened();
    let runs = 0;
    await database.transaction('durable', ['meta'], async ({ meta }) => {
      await meta.put('a', { run: ++runs });
      if (runs === 1) await disconnect('one');
      await meta.put('b', { run: runs });
    });
    expect(await database.transaction('read', ['meta'], ({ meta }) => meta.range())).toEqual([
      ['a', { run: 2 }],
      ['b', { run: 2 }],
    ]);
    await database.close();
  });

  it('fails when the connection breaks again', async () => {
    const database = await opened();
    let runs = 0;
    const work = database.transaction('write', ['meta'], async ({ meta }) => {
      runs++;
      await disconnect('one');
      await meta.put('a', {});
    });
    await expect(work).rejects.toMatchObject({ code: 'storage_failed' });
    expect(runs).toBe(2);
    expect(await database.transaction('read', ['meta'], ({ meta }) => meta.range())).toEqual([]);
    await database.close();
  });
});

it('does not make a database again that the user has cleared', async () => {
  const database = await opened();
  const told = new Promise((resolve) => database.onLost(resolve));
  await clear();
  await expect(database.transaction('read', ['meta'], ({ meta }) => meta.range())).rejects.toBeInstanceOf(
    StorageLostError,
  );
  expect(await told).toBeInstanceOf(StorageLostError);
  expect(await indexedDb().list()).toEqual([]);
});
