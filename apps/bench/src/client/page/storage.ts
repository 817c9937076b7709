/** What storage.ts measures in a page. */
import type { BaseRow, Database } from 'nest-offline-sync-client';
import { indexedDb } from 'nest-offline-sync-client/indexeddb';

/** Rows of a page of the server, and so of a transaction. */
const PAGE = 500;
const SEGMENT = 200;
const NAME = 'bench';

type Measure = (count: number) => Promise<number>;

/** A first load comes as lines of JSON. Documents of about 100 bytes. */
function linesOf(count: number): string[] {
  return Array.from({ length: count }, (_, n) =>
    JSON.stringify({
      id: `0192f3a0-${String(n).padStart(8, '0')}-7000-8000-000000000000`,
      version: `0192f3a0c0de-${String(n).padStart(6, '0')}-node`,
      data: { title: `Milk and bread, number ${n}`, done: n % 3 === 0, list: n % 50, note: 'x'.repeat(36) },
      generation: 1,
    }),
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function* pages(lines: readonly string[]): Generator<BaseRow[]> {
  for (let at = 0; at < lines.length; at += PAGE)
    yield lines.slice(at, at + PAGE).map((line) => JSON.parse(line) as BaseRow);
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('The request failed.'));
  });
}

async function withOwn<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const storage = indexedDb();
  await storage.remove(NAME);
  const database = await storage.open(NAME);
  try {
    return await work(database);
  } finally {
    await database.close();
    await storage.remove(NAME);
  }
}

/** Rows and a cursor, as one would write them without our storage to an empty database: so many rows a record. */
async function bare(lines: readonly string[], perRecord: number): Promise<number> {
  await settled(indexedDB.deleteDatabase(NAME));
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore('rows');
    request.result.createObjectStore('meta');
  };
  const database = await settled(request);
  const time = await timed(async () => {
    for (const rows of pages(lines)) {
      const transaction = database.transaction(['rows', 'meta'], 'readwrite', { durability: 'relaxed' });
      const end = new Promise((resolve) => (transaction.oncomplete = resolve));
      const store = transaction.objectStore('rows');
      for (let at = 0; at < rows.length; at += perRecord)
        store.put(perRecord === 1 ? rows[at] : rows.slice(at, at + perRecord), ['tasks', rows[at]?.id ?? '']);
      transaction.objectStore('meta').put({ at: rows.at(-1)?.id }, 'cursor');
      await end;
    }
  });
  const records = await settled(database.transaction('rows').objectStore('rows').count());
  database.close();
  await settled(indexedDB.deleteDatabase(NAME));
  if (records < lines.length / perRecord) throw new Error(`Only ${records} records are there.`);
  return time;
}

async function load(database: Database, lines: readonly string[]): Promise<void> {
  for (const rows of pages(lines))
    await database.transaction('write', ['base', 'meta'], async ({ base, meta }) => {
      await base.put('tasks', rows);
      await meta.put('cursor', { at: rows.at(-1)?.id });
    });
}

async function rowsOf(database: Database): Promise<number> {
  return database.transaction('read', ['base'], async ({ base }) => (await base.scan('tasks')).length);
}

function expect(found: number, count: number): void {
  if (found !== count) throw new Error(`${found} of ${count} are there.`);
}

/** An edit, as the core makes it: what is to be sent, and what the user sees. */
async function edit(database: Database, from: number, to: number): Promise<void> {
  await database.transaction('durable', ['outbox', 'view'], async ({ outbox, view }) => {
    for (let n = from; n < to; n++) {
      await outbox.put(n, {
        id: `m${n}`,
        collection: 'tasks',
        patch: { done: true },
        before: { done: false },
      });
      await view.put('tasks', `t${n}`, { title: `Milk and bread, number ${n}`, done: true });
    }
  });
}

async function edits(count: number, each: number): Promise<number> {
  return withOwn(async (database) => {
    const time = await timed(async () => {
      for (let n = 0; n < count; n += each) await edit(database, n, n + each);
    });
    expect((await database.transaction('read', ['outbox'], ({ outbox }) => outbox.range())).length, count);
    return time;
  });
}

/** The milliseconds of one run. */
const measures: Readonly<Record<string, Measure>> = {
  parse: async (count) => {
    const lines = linesOf(count);
    return timed(async () => {
      for (const rows of pages(lines)) expect(rows.length, Math.min(PAGE, count));
    });
  },
  segments: (count) => bare(linesOf(count), SEGMENT),
  records: (count) => bare(linesOf(count), 1),
  storage: (count) =>
    withOwn(async (database) => {
      const lines = linesOf(count);
      const time = await timed(() => load(database, lines));
      expect(await rowsOf(database), count);
      return time;
    }),
  scan: (count) =>
    withOwn(async (database) => {
      await load(database, linesOf(count));
      return timed(async () => expect(await rowsOf(database), count));
    }),
  /** Changes spread over all rows, as pulls bring them: so many, 500 at a time, on 20,000 rows. */
  changes: (count) =>
    withOwn(async (database) => {
      const all = linesOf(20_000);
      await load(database, all);
      const changed = Array.from({ length: count }, (_, n) => all[(n * 7919) % all.length] ?? '');
      const time = await timed(() => load(database, changed));
      expect(await rowsOf(database), all.length);
      return time;
    }),
  singles: (count) => edits(count, 1),
  together: (count) => edits(count, count),
};

Object.assign(globalThis, { measures });
