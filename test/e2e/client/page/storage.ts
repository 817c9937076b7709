/** What the tests call in a page: `calls` of storage-page.ts. */
import type { Database } from 'nest-offline-sync-client';
import { indexedDb } from 'nest-offline-sync-client/indexeddb';
import { storageContract } from 'nest-offline-sync-client/testing';

declare global {
  /** Done by the test, from outside of the page. */
  function clearDevice(): Promise<void>;
}

/** All that were opened, as the browser gives none of them to others. */
const connections = new Set<IDBDatabase>();
const { open } = IDBFactory.prototype;
IDBFactory.prototype.open = function (...args) {
  const request = open.apply(this, args);
  request.addEventListener('success', () => connections.add(request.result));
  return request;
};

const contract = storageContract({
  storage: indexedDb,
  // Such a page has little room from the start: the browser asks for the quota seldom.
  fill: async () => async () => undefined,
  clear: () => clearDevice(),
  disconnect: async (name) => {
    for (const connection of connections) if (connection.name.endsWith(name)) connection.close();
  },
});

const databases = new Map<string, Database>();

async function opened(name: string): Promise<Database> {
  const database = databases.get(name) ?? (await indexedDb().open(name));
  databases.set(name, database);
  return database;
}

const codeOf = (error: unknown) => (error as { code: string }).code;

const calls = {
  /** Runs a case of the contract; the answer is what failed. */
  check: async (name: string): Promise<string | undefined> => {
    try {
      await contract.find((each) => each.name === name)?.run();
    } catch (error) {
      return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error);
    }
    return contract.some((each) => each.name === name) ? undefined : 'There is no such case.';
  },

  list: () => indexedDb().list(),
  remove: (name: string) => indexedDb().remove(name),

  put: async (name: string, mode: 'write' | 'durable', key: number): Promise<void> => {
    const database = await opened(name);
    await database.transaction(mode, ['outbox', 'base'], async ({ outbox, base }) => {
      await outbox.put(key, { key });
      await base.put('tasks', [{ id: key, version: '1', data: { key }, generation: 1 }]);
    });
  },
  keys: async (name: string): Promise<{ outbox: number[]; base: (string | number)[] }> => {
    const database = await opened(name);
    return database.transaction('read', ['outbox', 'base'], async ({ outbox, base }) => ({
      outbox: (await outbox.range()).map(([key]) => key),
      base: (await base.scan('tasks')).map(({ id }) => id),
    }));
  },
  /** Adds to a counter, and to the rows of a few segments, so many times. */
  add: async (name: string, times: number): Promise<void> => {
    const database = await opened(name);
    for (let time = 0; time < times; time++)
      await database.transaction('write', ['meta', 'base'], async ({ meta, base }) => {
        const { n } = ((await meta.get('n')) ?? { n: 0 }) as { n: number };
        await meta.put('n', { n: n + 1 });
        await base.put('tasks', [{ id: n, version: String(n), data: {}, generation: 1 }]);
      });
  },
  counted: async (name: string): Promise<{ n: number; rows: number }> => {
    const database = await opened(name);
    return database.transaction('read', ['meta', 'base'], async ({ meta, base }) => ({
      n: ((await meta.get('n')) as { n: number }).n,
      rows: (await base.scan('tasks')).length,
    }));
  },
  /** Resolves with the code when the database is lost, for what {@link opened} gave before. */
  lost: async (name: string): Promise<string> => {
    const database = await opened(name);
    return new Promise((resolve) => database.onLost(({ code }) => resolve(code)));
  },
  /** The code that a transaction rejects with. */
  refusal: async (name: string): Promise<string> => {
    const database = await opened(name);
    return database.transaction('read', ['meta'], ({ meta }) => meta.range()).then(() => 'none', codeOf);
  },
  /** Opens it as a later version of this package would, or the opening of it as one did. */
  upgrade: (name: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open(`nest-offline-sync:${name}`, 1000);
      request.onsuccess = () => {
        request.result.close();
        resolve('upgraded');
      };
      request.onerror = () => reject(new Error(request.error?.name));
    }),
  openRefusal: (name: string): Promise<string> =>
    indexedDb()
      .open(name)
      .then(() => 'none', codeOf),
  persistence: async (name: string): Promise<{ persisted: boolean; usage: boolean; quota: boolean }> => {
    const { persisted, usage, quota } = await (await opened(name)).estimate();
    return { persisted, usage: usage !== undefined, quota: quota !== undefined };
  },
};

export type StorageCalls = typeof calls;

Object.assign(globalThis, { calls });
