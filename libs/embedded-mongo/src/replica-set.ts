import { MongoClient, MongoServerError, type Db } from 'mongodb';
import { setTimeout as delay } from 'node:timers/promises';

export const REPLICA_SET = 'rs0';

/** A server that finds something silent on its set's old port waits 30 s for it before it takes a new address. */
const LIMIT_MS = 60_000;
const NOT_YET_INITIALIZED = 94;
const ALREADY_INITIALIZED = 23;

interface ReplicaSetConfig {
  version: number;
  members: { host: string }[];
}

/**
 * Makes the server on that port the primary of a replica set of one: initiates a new folder's set, and gives an
 * existing set the address it has now, for the port may be another one than last time.
 * @throws Error when it is not primary within 60 s
 */
export async function becomePrimary(host: string): Promise<void> {
  const client = new MongoClient(`mongodb://${host}/?directConnection=true`, {
    serverSelectionTimeoutMS: 10_000,
  });
  const deadline = Date.now() + LIMIT_MS;
  try {
    const admin = client.db('admin');
    while (Date.now() < deadline) {
      const hello = await admin.command({ hello: 1 });
      if (hello.isWritablePrimary === true && hello.me === host) return;
      await configure(admin, host);
      await delay(20);
    }
    throw new Error(
      `The embedded MongoDB on ${host} did not become primary within ${String(LIMIT_MS / 1000)} s.`,
    );
  } finally {
    await client.close();
  }
}

async function configure(admin: Db, host: string): Promise<void> {
  try {
    const answer = await admin.command({ replSetGetConfig: 1 });
    const config = answer.config as ReplicaSetConfig;
    const [member] = config.members;
    if (member === undefined || member.host === host) return;
    const moved = { ...config, version: config.version + 1, members: [{ ...member, host }] };
    await admin.command({ replSetReconfig: moved, force: true });
  } catch (error) {
    if (codeOf(error) !== NOT_YET_INITIALIZED) throw error;
    const members = [{ _id: 0, host }];
    try {
      await admin.command({ replSetInitiate: { _id: REPLICA_SET, members } });
    } catch (initiateError) {
      // The server had not yet read the set that its folder holds.
      if (codeOf(initiateError) !== ALREADY_INITIALIZED) throw initiateError;
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof MongoServerError ? error.code : undefined;
}
