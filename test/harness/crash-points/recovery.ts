import type { mongo } from 'mongoose';
import { upsert } from '../../support/http-app';
import { until } from '../../support/until';
import type { Host } from './case';
import { inParallel } from './in-parallel';
import type { Trial } from './trial';
import type { Truth } from './truth';

/** What happened while the dead processes held their locks, and after that, in its order. */
export type Recovered = 'neighbour pushed' | 'neighbour refused' | 'blocked came back';

export const NEIGHBOUR_PUSHES = 5;

/** So far ahead, in milliseconds, that the others never take the process for a silent one. */
const HOUR_MS = 3_600_000;

/** For what would never happen: all those clients together take a minute of a busy machine. */
const HANGS_MS = 600_000;

/**
 * The clients come back: some at once, while the dead processes still hold their locks, the others after that.
 *
 * The dead are noticed when a neighbour's pushes are through, or when a blocked client has come back before them. So it does
 * not depend on the machine which of the two happens first.
 *
 * @param meanwhile what else is done before the dead processes are noticed
 */
export async function recover(
  survivor: Host,
  trials: readonly Trial[],
  left: Truth,
  meanwhile: () => Promise<void>,
): Promise<readonly Recovered[]> {
  const events: Recovered[] = [];
  const early = trials.filter(({ on, scenario }) => scenario.locks && !on.kind.ownSession);
  const late = trials.filter((trial) => !early.includes(trial));
  const returning = early.map(async (trial) => {
    await trial.retry(survivor, left);
    events.push('blocked came back');
  });
  const neighbour = async (): Promise<void> => {
    await until(async () => events.length > 0 || (await haveMetTheLocks(survivor, early)), HANGS_MS, 50);
    for (let count = 0; count < NEIGHBOUR_PUSHES; count++) {
      const isTaken = await push(survivor, String(count));
      events.push(isTaken ? 'neighbour pushed' : 'neighbour refused');
    }
  };
  const pushing = neighbour();
  await Promise.all([Promise.race([pushing, ...returning]), meanwhile()]);
  await noteTheDead(survivor.db, -HOUR_MS);
  await Promise.all([pushing, ...returning]);
  await endTransactions(survivor);
  await inParallel(late, (trial) => trial.retry(survivor, left));
  return events;
}

/** Keeps the dead processes among the living for the survivor, which ends what silent ones have left open. */
export function hideTheDead({ db }: Host): Promise<void> {
  return noteTheDead(db, HOUR_MS);
}

/** The survivor writes its own note again before it looks at the others. */
async function noteTheDead(db: mongo.Db, aheadMs: number): Promise<void> {
  const seenAt = { $add: ['$$NOW', aheadMs] };
  await db
    .collection<{ _id: string }>('sync_leases')
    .updateMany({ _id: /^process:/ }, [{ $set: { seenAt } }]);
}

/** A push that meets a lock makes its process ask for the scope's turn. */
async function haveMetTheLocks({ db }: Host, early: readonly Trial[]): Promise<boolean> {
  const turns = await db
    .collection<{ _id: string }>('sync_leases')
    .find({ _id: /^turn:/ })
    .toArray();
  const asked = new Set(turns.map(({ _id }) => _id));
  return early.every(({ on }) => on.kind.write || on.scopes.some((scope) => asked.has(`turn:${scope}`)));
}

/** @returns false when its time was over before it was its turn */
async function push({ sync }: Host, id: string): Promise<boolean> {
  const body = { client_id: 'device', changes: [upsert('last', id, {})] };
  return sync.push({ scopeId: 'neighbour', actorId: 'ann' }, body).then(
    () => true,
    () => false,
  );
}

/** What the dead processes have left open ends at once here, not when the others notice (test/e2e/push/killed-process.e2e.ts). */
async function endTransactions({ client }: Host): Promise<void> {
  const admin = client.db('admin');
  const open = await admin
    .aggregate<{ lsid: { id: mongo.Binary } }>([
      { $currentOp: { allUsers: true, idleSessions: true } },
      { $match: { 'transaction.parameters.autocommit': false } },
    ])
    .toArray();
  if (open.length > 0) await admin.command({ killSessions: open.map(({ lsid: { id } }) => ({ id })) });
}
