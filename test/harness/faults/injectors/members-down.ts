import type { FaultCluster } from '../cluster';
import { SMALL_DISK_MEMBER } from '../cluster';
import type { MongodProcess } from '../../../support/mongod-process';
import { until } from '../../../support/until';
import type { Fault } from '../schedule';
import type { Heal, Injector } from './injector';

const DISK_LIMIT_MS = 30_000;

export const primaryKilled: Injector = async ({ trio }) => kill(await trio.primary());

export const secondaryKilled: Injector = async (cluster, fault) => kill(await secondary(cluster, fault));

export const setKilled: Injector = async ({ trio: { members } }) => {
  await Promise.all(members.map((member) => member.kill()));
  return () => members.forEach((member) => member.start());
};

export const primaryFrozen: Injector = async ({ trio }) => freeze(await trio.primary());

export const secondaryFrozen: Injector = async (cluster, fault) => freeze(await secondary(cluster, fault));

/** The member ends itself as soon as it has to write. It comes back when there is room again. */
export const diskFull: Injector = async ({ trio, disk }) => {
  const member = trio.members[SMALL_DISK_MEMBER];
  if (!disk || !member) throw new Error('No member has a disk that can be filled.');
  await disk.fill();
  return async () => {
    try {
      await until(() => !member.isRunning, DISK_LIMIT_MS);
    } finally {
      disk.empty();
      if (!member.isRunning) member.start();
    }
  };
};

async function kill(member: MongodProcess): Promise<Heal> {
  await member.kill();
  return () => member.start();
}

function freeze(member: MongodProcess): Heal {
  member.freeze();
  return () => member.thaw();
}

async function secondary({ trio }: FaultCluster, { target }: Fault): Promise<MongodProcess> {
  const primary = await trio.primary();
  const others = trio.members.filter((member) => member !== primary);
  return others[target % others.length]!;
}
