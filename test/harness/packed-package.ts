/** `npm run check:package`: is the packed package one that npm, Node and TypeScript take as it is meant. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'packed-package-'));

/** @returns whether it ended with 0 */
function run(command: string, ...args: string[]): boolean {
  process.stdout.write(`\n${command} ${args.join(' ')}\n`);
  return spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' }).status === 0;
}

try {
  let holds = run('npm', 'run', 'build') && run('npm', 'pack', '--silent', '--pack-destination', folder);
  for (const name of holds ? readdirSync(folder) : []) {
    const tarball = join(folder, name);
    holds = run('npx', '--no-install', 'publint', 'run', tarball, '--strict') && holds;
    holds = run('npx', '--no-install', 'attw', tarball) && holds;
  }
  process.exitCode = holds ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
