import type { mongo } from 'mongoose';
import { until } from '../../../support/until';
import type { FaultCluster } from '../cluster';
import type { Injector } from './injector';

const OFF_LIMIT_MS = 60_000;
const WRITE_CONFLICT = 112;
const PRIMARY_STEPPED_DOWN = 189;
const INTERRUPTED_AT_SHUTDOWN = 11600;
const CHANGE_STREAM_FATAL = 280;
const CHANGE_STREAM_HISTORY_LOST = 286;
const SHUTDOWN_IN_PROGRESS = 91;

/** mongod's own fail point: commands of clients (not of other members) fail at random, on the current primary. */
function failing(data: mongo.Document, mode: mongo.Document | 'alwaysOn' = 'alwaysOn'): Injector {
  return async (cluster) => {
    await setAll(cluster, { configureFailPoint: 'failCommand', mode, data }, false);
    return () => setAll(cluster, { configureFailPoint: 'failCommand', mode: 'off' }, true);
  };
}

const byChance = (activationProbability: number): mongo.Document => ({ activationProbability });

export const commitNeverHeard = failing(
  { failCommands: ['commitTransaction'], closeConnection: true },
  byChance(0.4),
);

export const commitUnknown = failing(
  {
    failCommands: ['commitTransaction'],
    writeConcernError: { code: SHUTDOWN_IN_PROGRESS, errmsg: 'a fail point' },
  },
  byChance(0.4),
);

/** What can happen to a read outside of a transaction too, and what only happens inside one. */
const TRANSIENT = [
  { errorCode: WRITE_CONFLICT, failCommands: ['insert', 'update'] },
  { errorCode: PRIMARY_STEPPED_DOWN, failCommands: ['find', 'insert', 'update', 'aggregate'] },
  { errorCode: INTERRUPTED_AT_SHUTDOWN, failCommands: ['find', 'insert', 'update', 'aggregate'] },
];

export const transientErrors: Injector = (cluster, fault) =>
  failing(
    { ...TRANSIENT[fault.target % TRANSIENT.length], errorLabels: ['TransientTransactionError'] },
    byChance(0.15),
  )(cluster, fault);

export const commitsSlow = failing({
  failCommands: ['commitTransaction'],
  blockConnection: true,
  blockTimeMS: 400,
});

export const changeStreamBroken = failing(
  { failCommands: ['getMore'], errorCode: CHANGE_STREAM_FATAL },
  byChance(0.5),
);

export const changeStreamHistoryLost: Injector = (cluster, fault) =>
  failing(
    { failCommands: ['getMore'], errorCode: CHANGE_STREAM_HISTORY_LOST },
    { times: cluster.servers.length },
  )(cluster, fault);

/** A member that is down has no fail point; one that is frozen must not keep its own. */
async function setAll({ trio }: FaultCluster, command: mongo.Document, patiently: boolean): Promise<void> {
  await Promise.all(
    trio.members.map(async (member) => {
      const once = async (): Promise<boolean> => {
        if (!member.isRunning) return true;
        return member.admin(command).then(
          () => true,
          () => false,
        );
      };
      if (patiently) await until(once, OFF_LIMIT_MS, 100);
      else await once();
    }),
  );
}
