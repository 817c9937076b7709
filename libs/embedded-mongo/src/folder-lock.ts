import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identify, isAlive, type ProcessIdentity } from './process-identity';

/** What the pid file of a data folder says. */
export interface FolderHolder {
  /** The Node process that started the server. */
  host: ProcessIdentity;
  mongod?: ProcessIdentity;
  uri?: string;
}

/** The right to run a server on a data folder, kept in a pid file next to the data. */
export interface FolderLock {
  /** Who held the folder before and ended without releasing it (kill -9, power loss). */
  predecessor: FolderHolder | undefined;
  /** Adds the running server to the file. */
  update(mongodPid: number, uri: string): void;
  /** Releases the folder. */
  release(): void;
}

/**
 * Takes the pid file, even from a dead holder. The file appears with its content in one step (link), so
 * that nobody reads half of it. mongod's own lock on its files catches what remains unsafe.
 * @returns the lock, or the living holder
 */
export function lockFolder(file: string): FolderLock | { heldBy: FolderHolder } {
  const host = identify(process.pid) ?? { pid: process.pid, started: '' };
  let predecessor: FolderHolder | undefined;
  for (;;) {
    if (createOnce(file, { host })) {
      return {
        predecessor,
        update: (mongodPid, uri) => {
          replace(file, { host, mongod: identify(mongodPid), uri });
        },
        release: () => {
          if (readHolder(file)?.host.started === host.started) rmSync(file, { force: true });
        },
      };
    }
    const holder = readHolder(file);
    if (holder !== undefined && isAlive(holder.host)) return { heldBy: holder };
    predecessor = holder ?? predecessor;
    discard(file, holder);
  }
}

/** The holder named in the file; undefined where there is no file or not a word of it can be understood. */
export function readHolder(file: string): FolderHolder | undefined {
  try {
    const holder = JSON.parse(readFileSync(file, 'utf8')) as Partial<FolderHolder>;
    return typeof holder.host?.pid === 'number' ? (holder as FolderHolder) : undefined;
  } catch {
    return undefined;
  }
}

function createOnce(file: string, holder: FolderHolder): boolean {
  const fresh = `${file}.${randomUUID()}`;
  writeFileSync(fresh, JSON.stringify(holder));
  try {
    linkSync(fresh, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(fresh, { force: true });
  }
}

function replace(file: string, holder: FolderHolder): void {
  const fresh = `${file}.${randomUUID()}`;
  writeFileSync(fresh, JSON.stringify(holder));
  renameSync(fresh, file);
}

/** Removes a dead holder's file, but not the one that a third process has put there since it was read. */
function discard(file: string, dead: FolderHolder | undefined): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const taken = readHolder(aside);
  try {
    if (taken !== undefined && taken.host.started !== dead?.host.started) linkSync(aside, file);
  } catch {
    // A fourth process was quicker: its file stays, and mongod's lock decides.
  } finally {
    rmSync(aside, { force: true });
  }
}
