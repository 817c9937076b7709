import { fill, FILL_OURS } from '../load/fill';
import type { Server } from '../processes/child';
import { FilledLog } from '../workload/filled-log';
import type { Bench } from './bench';

export interface LargeDatabase {
  readonly server: Server;
  /** A scope of 1,000,000 documents and entries (`--quick`: 100,000). */
  readonly million: FilledLog;
  /** A scope of 100,000 documents (`--quick`: 20,000). */
  readonly hundred: FilledLog;
}

const made = new WeakMap<Bench, Promise<LargeDatabase>>();

/** A database with a large scope, and a server on it: made once for all rows that need it. */
export function largeDatabase(bench: Bench): Promise<LargeDatabase> {
  const large = made.get(bench) ?? make(bench);
  made.set(bench, large);
  return large;
}

async function make(bench: Bench): Promise<LargeDatabase> {
  const database = 'bench_large';
  const million = new FilledLog('million', bench.quick ? 100_000 : 1_000_000, bench.seed);
  const hundred = new FilledLog('hundred', bench.quick ? 20_000 : 100_000, bench.seed);
  const db = bench.client.db(database);
  // Before the server starts: it makes its indexes over what is there, which is quicker than to keep them up.
  await fill(db, FILL_OURS, [million]);
  await fill(db, FILL_OURS, [hundred], { entries: false });
  return { server: await bench.ownServer(database), million, hundred };
}
