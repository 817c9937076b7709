import { MongoMemoryServer } from 'mongodb-memory-server-core';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DataFolderInUseError } from './errors';
import { findMongod } from './find-mongod';
import { lockFolder, type FolderLock } from './folder-lock';
import type { MongodBinary } from './mongod-binary';
import { outliveOrphan } from './orphan';
import { becomePrimary, REPLICA_SET } from './replica-set';

export interface EmbeddedMongoOptions {
  /** Folder that keeps the data across restarts; created if missing. Without one: a temporary folder, removed by stop(). */
  dataDir?: string;
  /** Port on 127.0.0.1. Default: the one that the folder's server had last. A free one when that is taken. */
  port?: number;
  /** Further arguments of mongod, such as `['--setParameter', 'enableTestCommands=1']`. */
  args?: string[];
  /** The server program. Default: what findMongod() finds. */
  binary?: MongodBinary;
  /** Called with what takes long, one line at a time. Default: stderr. */
  log?: (line: string) => void;
}

export interface EmbeddedMongo {
  /** Connection string with the replica set's name, without a database. */
  uri: string;
  /** Absolute path of the folder with the data. */
  dataDir: string;
  /** Process number of mongod. */
  pid: number;
  /** Shuts the server down cleanly and releases the folder. May be called again. */
  stop(): Promise<void>;
}

/** How long to retry a folder that mongod finds locked, for a dead host that could not be identified. */
const RETRY_MS = 5000;
const LAUNCH_LIMIT_MS = 30_000;

/**
 * Starts a replica set of one on 127.0.0.1 and resolves when it accepts writes. The server is outside the
 * terminal's process group (Ctrl-C does not reach it), and ends within about 2 s when this process dies.
 * @throws MongodNotFoundError when there is no server program
 * @throws DataFolderInUseError when another server runs on the folder
 */
export async function startEmbeddedMongo(options: EmbeddedMongoOptions = {}): Promise<EmbeddedMongo> {
  const binary = options.binary ?? (await findMongod({ log: options.log }));
  const throwaway = options.dataDir === undefined;
  const dataDir = resolve(options.dataDir ?? mkdtempSync(join(tmpdir(), 'nest-offline-sync-')));
  const dbPath = join(dataDir, 'db');
  mkdirSync(dbPath, { recursive: true });

  const pidFile = join(dataDir, 'mongod.pid');
  const lock = await takeFolder(dataDir, pidFile);
  let server: MongoMemoryServer | undefined;
  const stop = async (): Promise<void> => {
    const running = server;
    server = undefined;
    await running?.stop({ doCleanup: false });
    lock.release();
    if (throwaway) rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const portFile = join(dataDir, 'port');
    server = await launch(binary, dbPath, options.port ?? lastPort(portFile), options.args);
    const info = server.instanceInfo;
    const pid = info?.instance.mongodProcess?.pid;
    if (info === undefined || pid === undefined)
      throw new Error('The embedded MongoDB ended right after its start.');
    const host = `127.0.0.1:${String(info.port)}`;
    const uri = `mongodb://${host}/?replicaSet=${REPLICA_SET}`;
    lock.update(pid, uri);
    writeFileSync(portFile, String(info.port));
    await becomePrimary(host);
    return { uri, dataDir, pid, stop };
  } catch (error) {
    await stop();
    throw isFolderInUse(error) ? new DataFolderInUseError(dataDir, undefined, undefined, pidFile) : error;
  }
}

/** A tool that was pointed at the server finds it again, and the replica set need not learn a new address. */
function lastPort(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

async function takeFolder(dataDir: string, pidFile: string): Promise<FolderLock> {
  const lock = lockFolder(pidFile);
  if ('heldBy' in lock)
    throw new DataFolderInUseError(dataDir, lock.heldBy.host.pid, lock.heldBy.uri, pidFile);
  const orphan = lock.predecessor?.mongod;
  if (orphan !== undefined && !(await outliveOrphan(orphan))) {
    lock.release();
    throw new DataFolderInUseError(dataDir, orphan.pid, lock.predecessor?.uri, pidFile);
  }
  return lock;
}

async function launch(
  binary: MongodBinary,
  dbPath: string,
  port: number | undefined,
  args: string[] | undefined,
): Promise<MongoMemoryServer> {
  // The library prefers this variable to the option, also when it names a program that does not run.
  if (process.env.MONGOMS_SYSTEM_BINARY) process.env.MONGOMS_SYSTEM_BINARY = binary.path;
  const deadline = Date.now() + RETRY_MS;
  for (;;) {
    try {
      return await MongoMemoryServer.create({
        // The version as it is: otherwise the library warns that it is not its own default.
        binary: { systemBinary: binary.path, version: binary.version },
        spawn: { detached: true },
        instance: {
          dbPath,
          storageEngine: 'wiredTiger',
          replSet: REPLICA_SET,
          launchTimeout: LAUNCH_LIMIT_MS,
          ...(port === undefined ? {} : { port }),
          ...(args === undefined ? {} : { args }),
        },
      });
    } catch (error) {
      if (!isFolderInUse(error) || Date.now() > deadline) throw error;
      await delay(250);
    }
  }
}

function isFolderInUse(error: unknown): boolean {
  return error instanceof Error && error.message.includes('DBPathInUse');
}
