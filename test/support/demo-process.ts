import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(__dirname, '..', '..');
const START_LIMIT_MS = 90_000;

/** The built demo in separate processes, as `npm start` runs it. */
export interface DemoProcess {
  readonly process: ChildProcess;
  readonly url: string;
  /** The processes that serve. */
  readonly pids: number[];
  /** Resolves with the first line, past or to come, that matches. */
  line(pattern: RegExp): Promise<string>;
  /** Sends the signal and resolves with the exit code, or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/**
 * @param from `dist`: the last build; `source`: the current source, without a build
 * @throws Error with everything that the demo wrote when it ends before it is ready
 */
export async function startDemo(
  variables: NodeJS.ProcessEnv,
  from: 'dist' | 'source' = 'dist',
): Promise<DemoProcess> {
  const program =
    from === 'dist'
      ? [join(ROOT, 'dist/apps/demo/src/main.js')]
      : ['-r', join(ROOT, 'test/support/ts-hook.cjs'), join(ROOT, 'apps/demo/src/main.ts')];
  const child = spawn(process.execPath, program, {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: '0', LOG_JSON: '1', ...variables },
    // Not in the project: nothing may depend on the folder that the demo is started in.
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const waiting = new Set<(line: string) => void>();
  for (const input of [child.stdout, child.stderr])
    createInterface({ input }).on('line', (text) => {
      lines.push(text);
      for (const look of waiting) look(text);
    });

  const line = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const found = lines.find((text) => pattern.test(text));
      if (found !== undefined) return resolve(found);
      const fail = (why: string) => () => {
        done();
        child.kill('SIGKILL');
        reject(new Error(`The demo ${why} without a line like ${String(pattern)}:\n${lines.join('\n')}`));
      };
      const onExit = fail('ended');
      const timer = setTimeout(fail('went on'), START_LIMIT_MS);
      const look = (text: string): void => {
        if (!pattern.test(text)) return;
        done();
        resolve(text);
      };
      const done = (): void => {
        clearTimeout(timer);
        waiting.delete(look);
        child.off('close', onExit);
      };
      waiting.add(look);
      child.once('close', onExit);
    });

  const { message } = JSON.parse(await line(/"state":"ready"/)) as {
    message: { url: string; pids: number[] };
  };
  return {
    process: child,
    url: message.url,
    pids: message.pids,
    line,
    end: async (signal) => {
      const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
      child.kill(signal);
      const [code, by] = await ended;
      return code ?? by;
    },
  };
}
