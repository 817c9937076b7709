import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RuleMutant } from './mutant';

const ROOT = join(__dirname, '../../..');
const JEST = createRequire(__filename).resolve('jest/bin/jest');
/** A broken build may hang: its tests have limits of their own, and so does all of it. */
const LIMIT_MS = 300_000;

export interface RuleOutcome {
  /** Tests that failed: what has noticed the mutant. */
  readonly failed: readonly string[];
  /** Why the tests did not run at all. */
  readonly problem: string | undefined;
  readonly seconds: number;
}

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Runs the tests of a rule against the build that breaks it. */
export async function tryRule(
  { name, noticedBy: { file, tests } }: RuleMutant,
  databaseUri: string,
): Promise<RuleOutcome> {
  const began = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'));
  try {
    const output = join(folder, 'report.json');
    const needsDatabase = file.endsWith('.e2e.ts');
    const wrote = await jest(
      ['--config', join(__dirname, 'jest.config.cjs'), '--runTestsByPath', join(ROOT, file)].concat([
        '--testNamePattern',
        tests,
        '--json',
        '--outputFile',
        output,
        '--forceExit',
      ]),
      {
        ...process.env,
        MUTANT: name,
        FC_SEED: '1',
        ...(needsDatabase ? { MUTANT_NEEDS_DATABASE: 'yes', MONGODB_URI: databaseUri } : {}),
      },
    );
    return { ...told(output, wrote), seconds: (performance.now() - began) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function told(output: string, wrote: string): Pick<RuleOutcome, 'failed' | 'problem'> {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(output, 'utf8')) as Report;
  } catch {
    return { failed: [], problem: wrote };
  }
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = results.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
  const ran = results.filter(({ status }) => ['passed', 'failed'].includes(status)).length;
  if (ran > 0) return { failed, problem: undefined };
  return { failed, problem: report.testResults.map(({ message }) => message).join('\n') || 'no such test' };
}

async function jest(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, [JEST, ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let wrote = '';
  child.stderr.on('data', (chunk: Buffer) => (wrote = `${wrote}${chunk.toString()}`.slice(-2_000)));
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(limit);
  return wrote;
}
