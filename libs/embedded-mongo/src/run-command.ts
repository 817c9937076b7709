import { spawn } from 'node:child_process';

export interface CommandOptions {
  env: NodeJS.ProcessEnv;
  /** Milliseconds after which the command and its children are killed. */
  timeoutMs: number;
  /** When the output matches `when`, the command gets `ms` from then on: it is not waiting, it is working. */
  extend?: { when: RegExp; ms: number };
}

export interface CommandResult {
  /** True when the command ran to its end and exited with 0. */
  ok: boolean;
  stdout: string;
  /** Why it is not ok, in one line; empty when it is. */
  reason: string;
  timedOut: boolean;
}

/** Runs a command without a shell or stdin, for a bounded time. Never throws: what went wrong is in the result. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    // Its own process group, so that what it started dies with it.
    const child = spawn(command, args, {
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    let extended = false;
    const kill = (): void => {
      timedOut = true;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        child.kill('SIGKILL');
      }
    };
    let timer = setTimeout(kill, options.timeoutMs);
    const lookAt = (text: string): void => {
      if (extended || options.extend?.when.test(text) !== true) return;
      extended = true;
      clearTimeout(timer);
      timer = setTimeout(kill, options.extend.ms);
    };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      lookAt((stdout += chunk));
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      lookAt((stderr += chunk));
    });
    const finish = (failure: string | undefined): void => {
      clearTimeout(timer);
      const reason = timedOut ? 'no answer in time' : failure;
      resolve({ ok: reason === undefined, stdout, reason: reason ?? '', timedOut });
    };
    child.on('error', (error: NodeJS.ErrnoException) => {
      finish(error.code === 'ENOENT' ? 'not found' : error.message);
    });
    child.on('close', (code, signal) => {
      const exit = code === null ? `ended by ${String(signal)}` : `exit code ${String(code)}`;
      finish(code === 0 ? undefined : lastLine(stderr) || lastLine(stdout) || exit);
    });
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim().slice(0, 300) ?? '';
}
