import { setTimeout as delay } from 'node:timers/promises';
import { startWorkload, type Progress, type WorkloadOptions } from '../../../libs/conformance/src/workload';
import { judge } from '../../../libs/conformance/src/oracle/judge';
import { clubsAt } from '../../support/club-scopes';
import type { History } from '../../../libs/conformance/src/history';
import type { Verdict } from '../../../libs/conformance/src/verdict';
import type { FaultCluster } from './cluster';
import { conduct, type Conducted } from './conduct';
import { figuresOf, type Figures } from './figures';
import { PrimaryWatch } from './primary-watch';
import type { Fault } from './schedule';

/** Longest time in or out of a club: now and then all sockets have noticed. */
const CLUB_TIME_MS = 45_000;

export interface CheckOptions {
  readonly seed: number;
  /** How long writers write. Faults that have not begun by then are left out. */
  readonly lengthMs: number;
  /** Writers stop this long after the last fault was repaired, if that is sooner. */
  readonly calmMs?: number;
  readonly faults: readonly Fault[];
  readonly workload?: Partial<WorkloadOptions>;
  readonly onFault?: (fault: Fault) => void;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Checked {
  readonly history: History;
  readonly verdict: Verdict;
  readonly conducted: Conducted;
  readonly figures: Figures;
}

/** A workload over the public wire with faults during it, and what the oracle says about it. */
export async function check(cluster: FaultCluster, options: CheckOptions): Promise<Checked> {
  const { seed, lengthMs, calmMs, faults, onFault, onProgress } = options;
  await cluster.whole();
  const beganAt = performance.now();
  const workload = startWorkload({
    urls: cluster.urls,
    token: cluster.token('main', 'checker'),
    otherToken: cluster.token('other', 'neighbour'),
    collections: [
      {
        name: 'notes',
        template: { text: '{marker}', kept: [1, 2, 3], visits: 0, tags: [] },
        ids: 'text',
        patch: { count: 'visits', list: 'tags', optional: 'more.due' },
      },
      {
        name: 'tasks',
        template: { title: '{marker}', done: false, tags: [] },
        ids: 'text',
        patch: { list: 'tags' },
      },
    ],
    membership: clubsAt(cluster.urls, { main: 'checker', other: 'neighbour' }, ['1', '2'], CLUB_TIME_MS),
    appWrite: { method: 'POST', path: '/app-writes', body: { text: '{marker}' } },
    seed,
    seconds: lengthMs / 1000,
    onProgress,
    ...options.workload,
  });
  const now = (): number => performance.now() - beganAt;
  const watch = new PrimaryWatch(cluster.trio, now);
  const ended = new AbortController();
  // `done` reports what keeps the writing from starting.
  const conducting = workload.writing.then(
    async () => {
      const begin = now();
      const schedule = faults.map((fault) => ({ ...fault, at: fault.at + begin }));
      const conducted = await conduct(cluster, schedule, { now, onFault, signal: ended.signal });
      if (calmMs !== undefined) {
        await delay(calmMs, undefined, { signal: ended.signal }).catch(() => undefined);
        workload.stop().catch(() => undefined);
      }
      return conducted;
    },
    () => ({ injected: [], skipped: [], failures: [] }),
  );
  let told: History;
  try {
    told = await workload.done;
  } finally {
    // Those that came late because the set was not whole are left out.
    ended.abort();
    await conducting;
    await watch.stop();
  }
  const history = { ...told, disturbed: true };
  const verdict = judge(history);
  const conducted = await conducting;
  return {
    history,
    verdict,
    conducted,
    figures: figuresOf(history, verdict, conducted.injected, watch.elections),
  };
}
