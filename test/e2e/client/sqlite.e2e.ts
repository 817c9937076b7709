import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sqlite } from 'nest-offline-sync-client/sqlite';
import { betterSqlite3 } from 'nest-offline-sync-client/sqlite/better-sqlite3';

const HOOK = join(__dirname, '../../support/ts-hook.cjs');
const WRITER = join(__dirname, 'sqlite-writer.ts');

let folder: string;
const writers: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sync-sqlite-'));
});
afterAll(async () => {
  for (const writer of writers) writer.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Kills the process when it has said so many keys; gives all that it said. */
async function killedAfter(count: number, file: string, first: number): Promise<number[]> {
  const writer = spawn(process.execPath, ['-r', HOOK, WRITER, file, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  writers.push(writer);
  const ended = once(writer, 'exit');
  const said: number[] = [];
  for await (const line of createInterface(writer.stdout)) {
    said.push(Number(line));
    if (said.length === count) writer.kill('SIGKILL');
  }
  await ended;
  return said;
}

it('keeps what two processes wrote to one file until they were killed', async () => {
  const file = join(folder, 'sync.db');
  const said = await Promise.all([killedAfter(60, file, 0), killedAfter(90, file, 100_000)]);

  const Database = createRequire(__filename)('better-sqlite3');
  const database = await sqlite(() => betterSqlite3(new Database(file))).open('one');
  const kept = await database.transaction('read', ['outbox', 'base', 'meta'], async (stores) => ({
    outbox: (await stores.outbox.range()).map(([key]) => key),
    base: (await stores.base.scan('tasks')).map(({ id }) => id),
    n: await stores.meta.get('n'),
  }));
  await database.close();

  for (const keys of said) expect(kept.outbox).toEqual(expect.arrayContaining(keys));
  // The last one of each may be there though it was not said.
  const unsaid = kept.outbox.length - said.flat().length;
  expect(unsaid).toBeLessThanOrEqual(2);
  expect(kept.base).toEqual(kept.outbox);
  expect(kept.n).toEqual({ n: kept.outbox.length });
});
