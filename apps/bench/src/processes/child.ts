import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;
/** Of what a process wrote, for the message when it fails. */
const KEPT_LINES = 30;

/** A server process of the benchmark. */
export interface Server {
  readonly url: string;
  /** The processes that serve. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

export interface ServerProgram {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Finds the port in a line of the output. */
  readonly ready: (line: string) => Ready | undefined;
  /** How long it may take to stop before it is killed. */
  readonly stopLimitMs?: number;
}

export interface Ready {
  readonly port: number;
  readonly pids?: readonly number[];
}

/** Those that run, so that none is left when the benchmark ends in any way. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** @throws Error with the last lines of the program's output when it ends before it is ready */
export async function startServer(program: ServerProgram): Promise<Server> {
  const child = spawn(program.command, [...program.args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...program.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  const exited = once(child, 'exit').then(() => running.delete(child));
  const lines: string[] = [];
  const { port, pids } = await new Promise<Ready>((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`${program.name} ${why}:\n${lines.join('\n')}`));
    };
    const timer = setTimeout(fail, START_LIMIT_MS, 'did not get ready');
    child.once('error', (error) => fail(error.message));
    child.once('exit', () => fail('ended before it was ready'));
    for (const input of [child.stdout, child.stderr])
      createInterface({ input }).on('line', (line) => {
        lines.push(line);
        if (lines.length > KEPT_LINES) lines.shift();
        const ready = program.ready(line);
        if (ready === undefined) return;
        clearTimeout(timer);
        resolve(ready);
      });
  });
  return {
    url: `http://127.0.0.1:${String(port)}`,
    pids: pids ?? [child.pid ?? 0],
    stop: async () => {
      if (!running.has(child)) return;
      const killer = setTimeout(() => child.kill('SIGKILL'), program.stopLimitMs ?? STOP_LIMIT_MS);
      child.kill('SIGTERM');
      await exited;
      clearTimeout(killer);
    },
  };
}

/** How our own server programs say that they are ready. */
export function readyLine(ready: Ready): string {
  return JSON.stringify({ ready });
}

export function parseReadyLine(line: string): Ready | undefined {
  return line.startsWith('{"ready":') ? (JSON.parse(line) as { ready: Ready }).ready : undefined;
}
