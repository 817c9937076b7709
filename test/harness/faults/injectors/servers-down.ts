import type { FaultCluster } from '../cluster';
import type { Fault } from '../schedule';
import type { ServerProcess } from '../server-process';
import { nothingToHeal, type Injector } from './injector';

export const serverKilled: Injector = async (cluster, fault) => {
  const server = victim(cluster, fault);
  await server.kill();
  return () => server.restart();
};

export const serverFrozen: Injector = (cluster, fault) => {
  const server = victim(cluster, fault);
  server.freeze();
  return () => server.thaw();
};

/** A new release: each in its turn ends in order and starts again. */
export const serversRolled: Injector = async ({ servers }) => {
  for (const server of servers) {
    await server.stop();
    await server.restart();
  }
  return nothingToHeal;
};

function victim({ servers }: FaultCluster, { target }: Fault): ServerProcess {
  return servers[target % servers.length]!;
}
