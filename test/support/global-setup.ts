import mongoose from 'mongoose';
import { randomBytes } from 'node:crypto';
import { startEmbeddedMongo } from '../../libs/embedded-mongo/src';
import { keepTestRun } from './test-server';

/** One server a test run: that of MONGODB_URI, else a throwaway embedded one. */
export default async function globalSetup(): Promise<void> {
  process.env.TEST_RUN_ID = randomBytes(4).toString('hex');
  const given = process.env.MONGODB_URI;
  if (given) {
    await assertReplicaSet(given);
    process.env.TEST_MONGODB_URI = given;
    keepTestRun({ server: undefined });
    return;
  }
  // A test of what expires waits for it.
  const server = await startEmbeddedMongo({ args: ['--setParameter', 'ttlMonitorSleepSecs=1'] });
  process.env.TEST_MONGODB_URI = server.uri;
  keepTestRun({ server });
}

async function assertReplicaSet(uri: string): Promise<void> {
  const client = new mongoose.mongo.MongoClient(uri, { serverSelectionTimeoutMS: 5000 });
  try {
    const hello = await client.db('admin').command({ hello: 1 });
    if (typeof hello.setName !== 'string' && hello.msg !== 'isdbgrid') {
      throw new Error(
        'MONGODB_URI names a server that is not a replica set: start mongod with --replSet and run ' +
          'rs.initiate() once, or unset MONGODB_URI to let the tests start their own server.',
      );
    }
  } finally {
    await client.close();
  }
}
