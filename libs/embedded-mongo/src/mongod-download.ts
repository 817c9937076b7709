import { randomUUID } from 'node:crypto';
import { mkdir, rename, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { checkMongod, type MongodBinary } from './mongod-binary';
import { runCommand } from './run-command';

const ANSWER = 'mongod is at ';
const SCRIPT = `require(process.argv[1]).MongoBinary.getPath().then(
  (path) => console.log('\\n${ANSWER}' + path),
  (error) => { console.error(error.message.replace(/\\s+/g, ' ')); process.exit(1); });`;

/** A download that has begun may take this long, unpacking included. */
const DOWNLOAD_LIMIT_MS = 600_000;

/**
 * mongodb-memory-server's own download. It runs in its own process: in a closed network it can hang, and only a
 * process can be ended in time.
 * @param link where the found binary is linked, so that the next start finds it without a look at the network
 * @param deadline epoch milliseconds by which the download must at least have begun
 * @returns the binary, or the reason in one line
 */
export async function downloadMongod(
  link: string,
  env: NodeJS.ProcessEnv,
  deadline: number,
): Promise<MongodBinary | string> {
  try {
    const folder = dirname(link);
    await mkdir(folder, { recursive: true });
    const library = require.resolve('mongodb-memory-server-core');
    const { MONGOMS_SYSTEM_BINARY: _explicit, ...inherited } = env;
    const result = await runCommand(process.execPath, ['-e', SCRIPT, library], {
      env: {
        MONGOMS_DOWNLOAD_DIR: folder,
        MONGOMS_MAX_RETRIES: '1',
        // Otherwise the library takes a program from a server with any certificate.
        npm_config_strict_ssl: 'true',
        ...inherited,
      },
      timeoutMs: Math.max(1, deadline - Date.now()),
      extend: { when: /Downloading MongoDB/, ms: DOWNLOAD_LIMIT_MS },
    });
    if (!result.ok) return result.reason;
    const path = result.stdout.split('\n').find((line) => line.startsWith(ANSWER));
    if (path === undefined) return 'gave no path';
    const checked = await checkMongod(path.slice(ANSWER.length), env);
    if (typeof checked === 'string') return `the downloaded mongod ${checked}`;
    const fresh = `${link}-${randomUUID()}`;
    await symlink(checked.path, fresh);
    await rename(fresh, link);
    return checked;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
