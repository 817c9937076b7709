import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { program } from '../processes/folders';
import type { Row } from './bench';

const LIMIT_MS = 30_000;
const BETWEEN_MS = 5;

/** The demo as `npm start` runs it after its build, on a database that is up. */
export const START_UP_ROW: Row = {
  id: 'start-up',
  title: 'start-up of the demo to the first answered request',
  figures: [{ name: 'seconds', label: 'spawned to answered', unit: 's' }],
  targets: [{ figure: 'seconds', bound: { most: 2 } }],
  variants: ['ours-1'],
  timed: false,
  overheadSeconds: 2,
  open: async ({ mongoUri }) => ({
    measures: {
      'ours-1': async () => {
        const port = await freePort();
        const started = performance.now();
        const child = spawn(process.execPath, [program('apps/demo/src/main.js')], {
          env: {
            PATH: process.env['PATH'],
            PORT: String(port),
            MONGODB_URI: mongoUri,
            MONGODB_DATABASE: 'bench_demo',
            LOG_JSON: '1',
          },
          cwd: '/',
          stdio: 'ignore',
        });
        const exited = once(child, 'exit');
        try {
          await answered(`http://127.0.0.1:${String(port)}/sync/pull`, started + LIMIT_MS);
          return { figures: { seconds: (performance.now() - started) / 1000 } };
        } finally {
          child.kill('SIGTERM');
          await exited;
        }
      },
    },
  }),
};

/** Asks again and again until there is an answer; without a token it is a 401. */
async function answered(url: string, until: number): Promise<void> {
  while (performance.now() < until) {
    const status = await new Promise<number>((resolve) => {
      get(url, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      }).on('error', () => resolve(0));
    });
    if (status === 401) return;
    await delay(BETWEEN_MS);
  }
  throw new Error('The demo did not answer');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
