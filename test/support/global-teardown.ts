import mongoose from 'mongoose';
import { databasePrefix } from './database';
import { keptTestRun } from './test-server';

/** Ends the embedded server with its data; on a server that was given, drops the databases of this run. */
export default async function globalTeardown(): Promise<void> {
  const run = keptTestRun();
  if (run?.server !== undefined) return run.server.stop();
  const uri = process.env.TEST_MONGODB_URI;
  if (uri === undefined) return;
  const client = new mongoose.mongo.MongoClient(uri, { serverSelectionTimeoutMS: 5000 });
  try {
    const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
    for (const { name } of databases) {
      if (name.startsWith(databasePrefix())) await client.db(name).dropDatabase();
    }
  } finally {
    await client.close();
  }
}
