import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from 'nest-offline-sync-embedded-mongo';
import { startServer, type Server } from '../processes/child';
import { benchFolder } from '../processes/folders';

const run = promisify(execFile);
const RUNNING = /Uvicorn running on http:\/\/[^:]+:(\d+)/;

/**
 * The system that this one reimagines: fastapi-offline-sync 0.1.2 on uvicorn, one worker, its own defaults, the same
 * MongoDB. It is installed once, into the cache folder and with its versions pinned.
 */
export async function startOriginal(mongoUri: string, database: string, secret: string): Promise<Server> {
  const folder = join(benchFolder(), 'peers', 'original');
  const python = await install(join(folder, 'requirements.txt'));
  const server = await startServer({
    name: 'The original',
    command: python,
    args: [
      '-m',
      'uvicorn',
      'app:app',
      '--app-dir',
      folder,
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--no-access-log',
    ],
    env: {
      MONGODB_URI: mongoUri,
      MONGODB_DATABASE: database,
      JWT_SECRET: secret,
      PYTHONDONTWRITEBYTECODE: '1',
    },
    // It waits for its change streams, forever.
    stopLimitMs: 2000,
    ready: (line) => {
      const port = RUNNING.exec(line)?.[1];
      return port === undefined ? undefined : { port: Number(port) };
    },
  });
  // Makes its collections and indexes.
  const answer = await fetch(`${server.url}/ready`);
  if (!answer.ok) throw new Error(`The original does not start: ${String(answer.status)}`);
  return server;
}

/** @returns the interpreter of a virtual environment that has what the file names */
async function install(requirements: string): Promise<string> {
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const folder = join(cacheFolder(process.env), 'peers', `original-${digest}`);
  const done = join(folder, 'bin', 'python');
  const marker = join(folder, 'installed');
  if (existsSync(marker)) return done;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, '..'), { recursive: true });
  await run('python3', ['-m', 'venv', folder]);
  await run(done, ['-m', 'pip', 'install', '-q', '-r', requirements]);
  // Last, so that an interrupted installation is not taken for one.
  mkdirSync(`${marker}.part`, { recursive: true });
  renameSync(`${marker}.part`, marker);
  return done;
}
