/**
 * Mutation testing of the pure core: each small change of a file has to be noticed by a test of its folder. Prints the
 * survivors and a table; the reports are in coverage/mutation/.
 *
 * `npm run mutation -- [folder or file …]`, for example `npm run mutation -- libs/protocol/src`; all of them take an hour
 * or more. MUTATION_CONCURRENCY sets how many mutants are tried concurrently, FC_RUNS how often a property runs.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What Stryker is installed into: only this command needs it. */
const HOME = __dirname;
const purity = createRequire(__filename)('../../../purity.cjs') as {
  readonly SOURCES: string;
  readonly PROTOCOL: string;
  readonly FOLDERS: readonly string[];
  readonly FILES: Readonly<Record<string, string>>;
};
const FOLDERS = [
  purity.PROTOCOL,
  ...[...purity.FOLDERS, ...Object.keys(purity.FILES)].map((name) => `${purity.SOURCES}/${name}`),
];

interface Report {
  readonly files: Record<string, { readonly mutants: readonly { readonly status: string }[] }>;
}

/** How many mutants of a folder ended how: Killed, Timeout, Survived, NoCoverage, … */
type Count = ReadonlyMap<string, number>;

function tryTarget(target: string): Count | undefined {
  const report = `coverage/mutation/${target.replaceAll('/', '-')}.json`;
  rmSync(report, { force: true });
  // A fixed seed: the same mutants survive in each run. Few runs: a property of a second makes hours of mutants.
  const env = { FC_SEED: '1', FC_RUNS: '0.05', ...process.env, MUTATION_TARGET: target };
  spawnSync(process.execPath, [cli, 'run'], { stdio: 'inherit', env });
  if (!existsSync(report)) return undefined;
  const { files } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const count = new Map<string, number>();
  for (const { mutants } of Object.values(files))
    for (const { status } of mutants) count.set(status, (count.get(status) ?? 0) + 1);
  return count;
}

const WIDTH = 46;
const COLUMNS = ['Killed', 'Timeout', 'Survived', 'NoCoverage'];

function row(name: string, count: Count): string {
  const figures = COLUMNS.map((status) => count.get(status) ?? 0);
  const [killed = 0, timeout = 0] = figures;
  const tried = figures.reduce((sum, figure) => sum + figure, 0);
  const score = tried === 0 ? '-' : `${((100 * (killed + timeout)) / tried).toFixed(1)} %`;
  return [name.padEnd(WIDTH), ...[score, ...figures].map((cell) => String(cell).padStart(11))].join('');
}

if (!existsSync(join(HOME, 'node_modules')))
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: HOME, stdio: 'inherit' });
const { resolve } = createRequire(join(HOME, 'package.json'));
const cli = join(dirname(resolve('@stryker-mutator/core/package.json')), 'bin/stryker.js');
const targets = process.argv.length > 2 ? process.argv.slice(2) : FOLDERS;
const total = new Map<string, number>();
const lines: string[] = [];
for (const target of targets) {
  const count = tryTarget(target);
  if (!count) process.exitCode = 1;
  for (const [status, figure] of count ?? []) total.set(status, (total.get(status) ?? 0) + figure);
  lines.push(count ? row(target, count) : `${target.padEnd(WIDTH)} did not run`);
}
console.log(['folder'.padEnd(WIDTH), ...['score', ...COLUMNS].map((head) => head.padStart(11))].join(''));
console.log([...lines, row('total', total)].join('\n'));
