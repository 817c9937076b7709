import { randomBytes } from 'node:crypto';
import mongoose from 'mongoose';
import type { EmbeddedMongo } from '../../../libs/embedded-mongo/src';
import { inSeconds, testToken } from '../../support/jwt';
import { withDatabase } from '../../support/database';
import type { CommitFault, Condition } from './conditions';
import { startServer, type ServerProcess } from './server-process';
import { SECRET } from './server-task';

/** The server processes of one build, on their own database. */
export interface Deployment {
  readonly urls: readonly string[];
  tokenOf(scope: string): string;
  /** Faults begin. Only one deployment of a mongod can have faults at a time. */
  disturb(fault: CommitFault): Promise<void>;
  calm(): Promise<void>;
  end(): Promise<void>;
}

/** @throws Error with what the server wrote when it does not start */
export async function deploy(
  mongod: EmbeddedMongo,
  mutant: string | null,
  { processes, clocksMs = [], options = {} }: Condition,
): Promise<Deployment> {
  const name = `mutant_${randomBytes(4).toString('hex')}`;
  const uri = withDatabase(mongod.uri, name);
  const servers: ServerProcess[] = [];
  const starts = Array.from({ length: processes }, async (_, index) => {
    const task = { uri, appName: name, clockMs: clocksMs[index] ?? 0, options };
    servers[index] = await startServer(mutant, task);
  });
  const outcomes = await Promise.allSettled(starts);
  const admin = await mongoose.mongo.MongoClient.connect(mongod.uri);
  const calm = async (): Promise<void> => {
    await admin.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
  };
  const end = async (): Promise<void> => {
    await calm();
    await Promise.all(servers.map((server) => server.end()));
    await admin.db(name).dropDatabase();
    await admin.close();
  };
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) {
    await end();
    throw failed.reason;
  }
  return {
    urls: servers.map(({ url }) => url),
    tokenOf: (scope) =>
      testToken({
        payload: { user_id: `user of ${scope}`, business_id: scope, exp: inSeconds(600) },
        key: SECRET,
      }),
    disturb: async (fault) => {
      await admin.db('admin').command(failCommit(fault, name));
    },
    calm,
    end,
  };
}

const NO_SUCH_TRANSACTION = 251;

function failCommit({ share, commit }: CommitFault, appName: string): object {
  return {
    configureFailPoint: 'failCommand',
    mode: { activationProbability: share },
    data: {
      failCommands: ['commitTransaction'],
      appName,
      ...(commit === 'fails'
        ? { errorCode: NO_SUCH_TRANSACTION, errorLabels: ['TransientTransactionError'] }
        : { blockConnection: true, blockTimeMS: commit.waitsMs }),
    },
  };
}
