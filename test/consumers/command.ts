import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PACKED } from '../../tools/packages';

/** How long one command may take, in milliseconds. */
const COMMAND_LIMIT_MS = 300_000;

/** Puts the packed packages into an app, under their names with and without version. */
export function copyPackages(app: string, names: readonly string[]): void {
  for (const name of names) {
    const packed = readdirSync(PACKED).find((file) => new RegExp(`^${name}-\\d.*\\.tgz$`).test(file)) ?? '';
    for (const as of [packed, `${name}.tgz`]) cpSync(join(PACKED, packed), join(app, as));
  }
}

/** Quiet, unless it fails. @returns its output */
export async function command(
  cwd: string,
  text: string,
  environment: Record<string, string> = {},
): Promise<string> {
  const child = spawn('bash', ['-ec', text], {
    cwd,
    env: { ...plainEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  for (const out of [child.stdout, child.stderr]) out.on('data', (data: Buffer) => (said += data.toString()));
  const limit = setTimeout(() => {
    // The whole group: the shell's children would go on.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, COMMAND_LIMIT_MS);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(limit);
  if (code === 0) return said;
  const reason =
    code === null ? `did not end in ${String(COMMAND_LIMIT_MS / 1000)} s` : `ended with ${String(code)}`;
  throw new Error(`\`${text.trim()}\` ${reason}\n${tail(said)}`);
}

/** Without the variables that npm and Jest set for this workspace. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(?!config_(cache|registry))|NODE_OPTIONS$|NODE_ENV$|INIT_CWD$)/.test(name),
    ),
  );
}

export function tail(text: string): string {
  return text.split('\n').slice(-40).join('\n');
}
