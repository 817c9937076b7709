import mongoose from 'mongoose';
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';

/** A separate database for one test file, on the server of the run. */
export interface TestDatabase {
  /** Connection string with the database in its path: all that Mongoose or a Nest app needs. */
  uri: string;
  /** The database's name. */
  name: string;
  /** The server's connection string without a database. */
  serverUri: string;
  /** Drops the database now. Not needed at the end: what is left of a run is dropped when it is over. */
  drop(): Promise<void>;
}

/** Databases of this test run, and of no other on the same server, begin with this. */
export function databasePrefix(): string {
  return `nos_${process.env.TEST_RUN_ID ?? 'x'}_`;
}

/**
 * A fresh, empty database. Callable anywhere in a test file.
 * @param name for people who inspect the server: `__filename`, or a word
 * @throws Error outside of a Jest run of this project
 */
export function testDatabase(name: string): TestDatabase {
  const serverUri = process.env.TEST_MONGODB_URI;
  if (serverUri === undefined)
    throw new Error('TEST_MONGODB_URI is not set: test/support/global-setup.ts did not run.');
  const word = basename(name)
    .replace(/\.(spec|e2e)?\.?[cm]?[jt]s$/, '')
    .replace(/[^A-Za-z0-9_-]/g, '_')
    .slice(0, 24);
  const worker = process.env.JEST_WORKER_ID ?? '0';
  const database = `${databasePrefix()}${word}_${worker}_${randomBytes(3).toString('hex')}`;
  const uri = withDatabase(serverUri, database);
  return {
    uri,
    name: database,
    serverUri,
    drop: async () => {
      const client = new mongoose.mongo.MongoClient(uri, { serverSelectionTimeoutMS: 5000 });
      try {
        await client.db(database).dropDatabase();
      } finally {
        await client.close();
      }
    },
  };
}

/** Puts a database into a connection string; who logs in still does so against the database that was named before. */
export function withDatabase(uri: string, database: string): string {
  const parts = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(uri);
  if (parts === null)
    throw new Error('The connection string of the test server is not of the form mongodb://host/?options.');
  const [, server = '', before = '', query = ''] = parts;
  const options = new URLSearchParams(query);
  const hasLogin = server.includes('@');
  if (hasLogin && !options.has('authSource')) options.set('authSource', before || 'admin');
  const suffix = options.toString();
  return `${server}/${database}${suffix === '' ? '' : `?${suffix}`}`;
}
