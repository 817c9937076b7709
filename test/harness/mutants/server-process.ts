import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ServerTask } from './server-task';

const START_LIMIT_MS = 60_000;

export interface ServerProcess {
  readonly url: string;
  /** Kills it, and resolves when it is gone. */
  end(): Promise<void>;
}

/**
 * Starts a server with a broken build, or the unbroken one.
 *
 * @throws Error with what it wrote when it ends before it listens
 */
export async function startServer(mutant: string | null, task: ServerTask): Promise<ServerProcess> {
  const child = spawn(process.execPath, ['-r', join(__dirname, 'hook.cjs'), join(__dirname, 'server.ts')], {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      SERVER_TASK: JSON.stringify(task),
      ...(mutant === null ? {} : { MUTANT: mutant }),
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let wrote = '';
  child.stderr?.on('data', (chunk: Buffer) => (wrote = `${wrote}${chunk.toString()}`.slice(-4_000)));
  const gone = once(child, 'exit');
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
  };
  try {
    return { url: await listening(child), end };
  } catch (error) {
    await end();
    throw new Error(`A server did not start.\n${wrote}`, { cause: error });
  }
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The server did not listen in time.')), START_LIMIT_MS);
    child.once('message', ({ url }: { url: string }) => {
      clearTimeout(timer);
      resolve(url);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`The server ended with ${String(code)} before it listened.`));
    });
  });
}
