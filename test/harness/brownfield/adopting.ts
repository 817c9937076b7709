import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { COLLECTION, SCOPE_FIELD } from './customers';

const ROOT = join(__dirname, '../../..');
/** The lease of a run that was killed ends within this. */
const BUSY_LIMIT_MS = 60_000;

export interface Adopted {
  /** By all runs together. */
  readonly adopted: number;
  readonly ms: number;
  readonly runs: number;
  /** What the command said and did that it should not. */
  readonly findings: readonly string[];
}

export interface AdoptOrders {
  readonly uri: string;
  readonly log: boolean;
  /** Kills the first run after this. Milliseconds. */
  readonly killAfterMs?: number;
}

/** `npx nest-offline-sync adopt`, as a team runs it; started again where it was killed. */
export async function adopt({ uri, log, killAfterMs }: AdoptOrders): Promise<Adopted> {
  const began = performance.now();
  const [findings, argv] = [[] as string[], [...(log ? ['--log'] : ['--no-log']), '--json']];
  let [adopted, runs] = [0, 0];
  if (killAfterMs !== undefined) {
    runs += 1;
    const child = start(uri, argv);
    const gone = once(child, 'exit');
    await Promise.race([delay(killAfterMs), gone]);
    child.kill('SIGKILL');
    await gone;
  }
  for (;;) {
    runs += 1;
    const child = start(uri, argv);
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null]>,
    ]);
    const isBusy = code === 1 && /Another process adopts/.test(err);
    if (isBusy && runs > 1 && performance.now() - began < BUSY_LIMIT_MS) {
      await delay(1_000);
      continue;
    }
    if (code !== 0) findings.push(`adopt ended with ${String(code)}: ${err.trim() || out.trim()}`);
    else {
      const report = JSON.parse(out) as { adopted: number; refused: readonly unknown[] };
      adopted += report.adopted;
      if (report.refused.length > 0) findings.push(`adopt refused ${JSON.stringify(report.refused)}`);
    }
    return { adopted, runs, findings, ms: performance.now() - began };
  }
}

function start(uri: string, argv: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  const program = [join(ROOT, 'libs/sync/src/cli/main.ts'), 'adopt', '--collection', COLLECTION];
  const hook = ['-r', join(ROOT, 'test/support/ts-hook.cjs')];
  return spawn(process.execPath, [...hook, ...program, '--scope-field', SCOPE_FIELD, ...argv], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], MONGODB_URI: uri },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
