import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { runCommand } from './run-command';

/** A server program that was run once and printed its version. */
export interface MongodBinary {
  /** Absolute path. */
  path: string;
  /** Such as "6.0.5". */
  version: string;
}

/** Transactions over several shards and change streams as used here need this major version. */
const OLDEST_MAJOR = 6;

/**
 * Runs `<path> --version`: a file that is there may still be for another processor, lack a library or be too old.
 * @returns the binary, or the reason in one line why it cannot be used
 */
export async function checkMongod(path: string, env: NodeJS.ProcessEnv): Promise<MongodBinary | string> {
  const absolute = resolve(path);
  if (!(await isProgram(absolute))) return 'no such program';
  const { ok, stdout, reason } = await runCommand(absolute, ['--version'], { env, timeoutMs: 5000 });
  if (!ok) return `does not run: ${reason}`;
  const version = /db version v(\d+)(\.\d+\.\d+)/.exec(stdout);
  if (version === null) return 'is not a mongod';
  const found = `${version[1] ?? ''}${version[2] ?? ''}`;
  return Number(version[1]) >= OLDEST_MAJOR
    ? { path: absolute, version: found }
    : `is version ${found}, 6.0 or later is needed`;
}

/** The first executable file of that name on the PATH of `env`, or undefined. */
export async function findOnPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder !== '' && (await isProgram(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}

/**
 * Where fetched server programs are kept: outside the project, so that clean clones share them.
 * `NEST_OFFLINE_SYNC_CACHE`, else `nest-offline-sync` below `XDG_CACHE_HOME` or `~/.cache`.
 */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  if (env.NEST_OFFLINE_SYNC_CACHE) return resolve(env.NEST_OFFLINE_SYNC_CACHE);
  return join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'), 'nest-offline-sync');
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
