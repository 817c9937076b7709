/** A device that is a process with a file of SQLite: `node-agent.ts file`. Calls come as lines, answers and events go as lines. */
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type { ClientSocket } from 'nest-offline-sync-client';
import { sqlite } from 'nest-offline-sync-client/sqlite';
import { betterSqlite3 } from 'nest-offline-sync-client/sqlite/better-sqlite3';
import WebSocket from 'ws';
import { Agent } from './agent';

const [, , file = ''] = process.argv;
const Database = createRequire(__filename)('better-sqlite3');

const say = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
const agent = new Agent({
  storage: sqlite(() => betterSqlite3(new Database(file))),
  tell: (event) => say({ event }),
  socket: (url) => new WebSocket(url) as unknown as ClientSocket,
});

createInterface(process.stdin).on('line', (line) => {
  const { id, name, args } = JSON.parse(line) as { id: number; name: string; args: unknown[] };
  const call = (agent as unknown as Record<string, (...given: unknown[]) => unknown>)[name];
  void Promise.resolve()
    .then(() => call?.apply(agent, args))
    .then(
      (answer) => say({ id, answer }),
      (error: unknown) =>
        say({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
});
say({ ready: true });
