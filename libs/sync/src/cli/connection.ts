import mongoose, { type Connection } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { resolveSettings, type SyncSettings } from '../options/settings';
import { checkDeployment } from '../database/deployment';
import { OplogRepository } from '../log/oplog';
import type { SyncOptions } from '../options/sync.options';

/** What every command takes. */
export interface ConnectionOptions {
  readonly mongodbUri?: string;
  readonly database?: string;
  readonly oplogCollection?: string;
  readonly headsCollection?: string;
  readonly receiptsCollection?: string;
  readonly leasesCollection?: string;
}

export interface Session {
  readonly connection: Connection;
  readonly oplog: OplogRepository;
  readonly settings: SyncSettings;
}

/**
 * Connects, does the work and disconnects, also after a failure.
 *
 * @param more options of the module that the command sets
 * @throws SyncError `configuration` without an address or a database, or when the server has no transactions
 */
export async function withDatabase<T>(
  options: ConnectionOptions,
  more: SyncOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const {
    mongodbUri: uri,
    database,
    oplogCollection,
    headsCollection,
    receiptsCollection,
    leasesCollection,
  } = options;
  const settings = resolveSettings({
    ...more,
    oplogCollection,
    headsCollection,
    receiptsCollection,
    leasesCollection,
  });
  if (!uri)
    throw missing(
      'No MongoDB is given. Pass --mongodb-uri mongodb://host:27017/?replicaSet=rs0, or set MONGODB_URI.',
    );
  const name = database || /^[a-z+]+:\/\/[^/]+\/([^/?]+)/.exec(uri)?.[1];
  if (!name) throw missing('No database is given. Pass --database, or set MONGODB_DATABASE.');
  const connection = await connect(uri, name);
  try {
    const oplog = new OplogRepository(connection, settings);
    await checkDeployment(oplog.db);
    return await work({ connection, oplog, settings });
  } finally {
    await connection.close();
  }
}

async function connect(uri: string, dbName: string): Promise<Connection> {
  const connection = mongoose.createConnection();
  try {
    return await connection.openUri(uri, {
      dbName,
      appName: 'nest-offline-sync',
      serverSelectionTimeoutMS: 5_000,
      connectTimeoutMS: 3_000,
      autoCreate: false,
      autoIndex: false,
    });
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error;
  }
}

function missing(message: string): SyncError {
  return new SyncError('configuration', message);
}
