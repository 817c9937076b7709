import { Connection } from '../load/connection';
import { collectGarbage } from '../load/drive';
import { checkFull, fullRequest, readFull, type FullRead } from '../load/full-read';
import { mostResident, residentAtRest } from '../processes/proc';
import type { FilledLog } from '../workload/filled-log';
import type { Bench, Row } from './bench';
import { largeDatabase } from './large-database';

const LIMIT_MS = 120_000;
const MB = 1 << 20;

/** A large scope must not cost more per row than a small one, and must not be held in the server's memory. */
export const FULL_MILLION_ROW: Row = {
  id: 'full-1m',
  title: 'full, 1,000,000 rows, plain',
  figures: [
    { name: 'rate', label: 'rows', unit: 'per second' },
    { name: 'evenness', label: 'rows/s against 100,000 rows', unit: 'times' },
    { name: 'memory', label: 'growth of RSS', unit: 'MB' },
  ],
  targets: [
    { figure: 'evenness', bound: { least: 0.85 } },
    { figure: 'memory', bound: { most: 64 } },
  ],
  variants: ['ours-1'],
  maxRounds: 3,
  timed: false,
  warmUp: false,
  overheadSeconds: 20,
  open: async (bench) => {
    const { server, million, hundred } = await largeDatabase(bench);
    const [pid = 0] = server.pids;
    const read = (log: FilledLog): Promise<FullRead> => readOnce(bench, server.url, log);
    await read(hundred);
    return {
      measures: {
        'ours-1': async () => {
          const small = await read(hundred);
          const smallRate = checkFull(small, hundred) / small.seconds;
          const before = await residentAtRest(pid);
          let large: FullRead | undefined;
          const most = await mostResident(pid, async () => {
            large = await read(million);
          });
          if (!large) throw new Error('Nothing was read');
          const rate = checkFull(large, million) / large.seconds;
          return {
            figures: { rate, evenness: rate / smallRate, memory: (most - before) / MB },
          };
        },
      },
    };
  },
};

async function readOnce(bench: Bench, url: string, log: FilledLog): Promise<FullRead> {
  const bearer = bench.tokens.bearer(log.scope);
  const connection = new Connection(url, LIMIT_MS);
  collectGarbage();
  try {
    return await readFull(connection, (cursor) => fullRequest(bearer, false, 0, cursor));
  } finally {
    await connection.close();
  }
}
