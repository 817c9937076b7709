/** A process that writes to a file of SQLite until it is killed: `sqlite-writer.ts file first`. Prints each key that is kept. */
import { createRequire } from 'node:module';
import { sqlite } from 'nest-offline-sync-client/sqlite';
import { betterSqlite3 } from 'nest-offline-sync-client/sqlite/better-sqlite3';

const [, , file = '', first = '0'] = process.argv;
const Database = createRequire(__filename)('better-sqlite3');

async function main(): Promise<void> {
  const database = await sqlite(() => betterSqlite3(new Database(file))).open('one');
  for (let key = Number(first); ; key++) {
    await database.transaction('durable', ['outbox', 'meta', 'base'], async ({ outbox, meta, base }) => {
      const { n } = ((await meta.get('n')) ?? { n: 0 }) as { n: number };
      await outbox.put(key, { key });
      await meta.put('n', { n: n + 1 });
      await base.put('tasks', [{ id: key, version: '1', data: {}, generation: 1 }]);
    });
    process.stdout.write(`${key}\n`);
  }
}

void main();
