/**
 * `npm run check:package`: a dry run of the release, then: are the packed packages such that npm, Node and TypeScript take
 * them as they are meant.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PACKED, ROOT } from '../../tools/packages';

/** @returns whether it ended with 0 */
function run(command: string, ...args: string[]): boolean {
  process.stdout.write(`\n${command} ${args.join(' ')}\n`);
  return spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' }).status === 0;
}

let holds = run('npm', 'run', '--silent', 'release', '--', '--dry-run');
for (const name of holds ? readdirSync(PACKED) : []) {
  const tarball = join(PACKED, name);
  holds = run('npx', '--no-install', 'publint', 'run', tarball, '--strict') && holds;
  // The client is made of ES modules only: Node loads them by require from 20.19 on.
  const profile = name.startsWith('nest-offline-sync-client-') ? ['--profile', 'esm-only'] : [];
  holds = run('npx', '--no-install', 'attw', tarball, ...profile) && holds;
}
process.exitCode = holds ? 0 : 1;
