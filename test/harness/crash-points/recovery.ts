import type { mongo } from 'mongoose';
import { upsert } from '../../support/http-app';
import { until } from '../../support/until';
import type { Host } from './case';
import { inParallel } from './in-parallel';
import type { Trial } from './trial';
import type { Truth } from './truth';

/**
 * The clients come back: some at once, while the dead processes still hold their locks, the others after that.
 *
 * @param meanwhile what else is done before the dead processes are noticed
 * @returns how many pushes of an unrelated scope went through meanwhile
 */
export async function recover(
  survivor: Host,
  trials: readonly Trial[],
  left: Truth,
  meanwhile: () => Promise<void>,
): Promise<number> {
  const early = trials.filter(({ on, scenario }) => scenario.locks && !on.kind.ownSession);
  const late = trials.filter((trial) => !early.includes(trial));
  const returning = Promise.all(early.map((trial) => trial.retry(survivor, left)));
  const [neighbourPushes] = await Promise.all([pingUntilReaped(survivor), meanwhile()]);
  await returning;
  await endTransactions(survivor);
  await inParallel(late, (trial) => trial.retry(survivor, left));
  return neighbourPushes;
}

/** Pushes of another scope, until the survivor has ended the sessions of all dead processes. */
async function pingUntilReaped({ db, sync }: Host): Promise<number> {
  const processes = db.collection<{ _id: string }>('sync_leases');
  const neighbour = { scopeId: 'neighbour', actorId: 'ann' };
  let count = 0;
  const ping = async (): Promise<boolean> => {
    const changes = [upsert('last', String(count), {})];
    await sync.push(neighbour, { client_id: 'device', changes });
    count += 1;
    return (await processes.countDocuments({ _id: /^process:/ })) === 1;
  };
  await until(ping, 60_000, 50);
  return count;
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
