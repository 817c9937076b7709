import { setTimeout as delay } from 'node:timers/promises';
import { Subscribers } from '../load/subscribers';
import { cpuSeconds, residentAtRest } from '../processes/proc';
import type { Server } from '../processes/child';
import type { Bench, Row } from './bench';

const SOCKETS = 5000;
const QUICK_SOCKETS = 1000;
const SCOPES = 500;
/** Opened and closed before, so that memory that the first sockets bring along is not counted for each. */
const FIRST_SOCKETS = 200;
const SETTLE_MS = 500;
/** Shorter than the 30 s that users have, so that a turn need not last for minutes; the cost is scaled. */
const PING_MS = 4000;
const DEFAULT_PING_MS = 30_000;
const PINGS = 2;

/** Devices that listen and hear nothing. */
export const SOCKETS_ROW: Row = {
  id: 'sockets-idle',
  title: '5,000 idle sockets',
  figures: [
    { name: 'bytes', label: 'RSS of a socket', unit: 'bytes' },
    { name: 'pings', label: 'pings every 30 s, of a core', unit: 'percent' },
  ],
  targets: [
    { figure: 'bytes', bound: { most: 16_000 } },
    { figure: 'pings', bound: { most: 5 } },
  ],
  variants: ['bare', 'ours-1'],
  maxRounds: 2,
  timed: false,
  warmUp: false,
  overheadSeconds: 9,
  open: async (bench) => ({
    measures: {
      bare: async () => ({ figures: { bytes: await bytesOfSocket(bench, await bench.ownSockets()) } }),
      'ours-1': async () => {
        const server = await bench.ownServer('bench_sockets', { pingIntervalMs: PING_MS });
        let pings = NaN;
        const bytes = await bytesOfSocket(bench, server, async () => {
          pings = await shareOfPings(server);
        });
        return { figures: { bytes, pings } };
      },
    },
  }),
};

async function bytesOfSocket(bench: Bench, server: Server, whileOpen?: () => Promise<void>): Promise<number> {
  const [pid = 0] = server.pids;
  const count = bench.quick ? QUICK_SOCKETS : SOCKETS;
  const open = (sockets: number): Promise<Subscribers> =>
    Subscribers.open({
      url: server.url,
      count: sockets,
      token: (index) => bench.tokens.sign(`idle-${String(index % SCOPES)}`, `device-${String(index)}`),
      times: false,
    });
  try {
    (await open(FIRST_SOCKETS)).close();
    await delay(SETTLE_MS);
    const before = await residentAtRest(pid);
    const sockets = await open(count);
    await delay(SETTLE_MS);
    const after = await residentAtRest(pid);
    await whileOpen?.();
    sockets.close();
    return (after - before) / count;
  } finally {
    await server.stop();
  }
}

/** CPU time over some pings, as the share of a core that they take at the default interval; idling included. */
async function shareOfPings({ pids: [pid = 0] }: Server): Promise<number> {
  const before = cpuSeconds(pid);
  await delay(PINGS * PING_MS);
  return ((cpuSeconds(pid) - before) / ((PINGS * DEFAULT_PING_MS) / 1000)) * 100;
}
