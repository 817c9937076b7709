import { readdirSync, readFileSync } from 'node:fs';
import type { mongo } from 'mongoose';

/** What a server process and its database hold at one moment. */
export interface Census {
  /** Bytes of the server process that are in memory. */
  readonly rss: number;
  /** Open files and sockets of the server process. */
  readonly descriptors: number;
  /** Cursors that the database keeps open, of all its clients. */
  readonly cursors: number;
  /** Of these, pinned ones: a getMore is waiting. */
  readonly pinnedCursors: number;
  readonly connections: number;
  /** Transactions that began and did not end. */
  readonly openTransactions: number;
  /** Entries of the log, as the database counts them. */
  readonly logEntries: number;
}

/** @param pid a process of this machine; Linux only: it reads /proc */
export async function takeCensus(pid: number, database: mongo.Db): Promise<Census> {
  const status = await database.admin().command({ serverStatus: 1 });
  return {
    rss: residentBytes(pid),
    descriptors: readdirSync(`/proc/${String(pid)}/fd`).length,
    cursors: Number(status['metrics'].cursor.open.total),
    pinnedCursors: Number(status['metrics'].cursor.open.pinned),
    connections: Number(status['connections'].current),
    openTransactions: Number(status['transactions'].currentOpen),
    logEntries: await database.collection('sync_oplog').estimatedDocumentCount(),
  };
}

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`Process ${String(pid)} has no resident memory to read.`);
  return Number(kilobytes) * 1024;
}
