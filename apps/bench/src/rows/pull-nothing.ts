import { drive, collectGarbage } from '../load/drive';
import { Pace } from '../load/pace';
import { checkPage, pullRequest } from '../load/pull-pages';
import type { Variant } from '../model';
import { percentiles } from '../stats/summary';
import { FilledLog } from '../workload/filled-log';
import type { Bench, Measure, Row, Served } from './bench';
import { fillVariants } from './fills';

const CLIENTS = 64;
const ENTRIES = 10;
const TWO_HOURS_MS = 7_200_000;
const VARIANTS: readonly Variant[] = ['bare', 'echo', 'ours-1', 'ours-2', 'original'];

/** The most common request: a device asks, and already has everything. */
export const PULL_NOTHING_ROW: Row = {
  id: 'pull-nothing-new',
  title: 'pull with nothing new, 64 clients, 64 scopes',
  figures: [
    { name: 'rate', label: 'requests', unit: 'per second' },
    { name: 'p50', label: 'p50', unit: 'ms' },
    { name: 'p99', label: 'p99', unit: 'ms' },
    { name: 'failures', label: 'failed requests', unit: 'count' },
  ],
  targets: [
    { figure: 'rate', against: ['echo'], bound: { least: 0.7 } },
    { figure: 'rate', against: ['original'], bound: { least: 3 } },
  ],
  variants: VARIANTS,
  timed: true,
  overheadSeconds: 0.4,
  open: async (bench, variants) => {
    const start = Date.now() - TWO_HOURS_MS;
    const logs = Array.from(
      { length: CLIENTS },
      // Apart in time, also from the logs of other rows: the original takes no version twice in a database.
      (_, index) => new FilledLog(`nothing-${String(index)}`, ENTRIES, bench.seed, start + index * 1000),
    );
    await fillVariants(bench, variants, logs);
    const served = (variant: Served): Measure => servedNothing(bench, variant, logs);
    return {
      measures: {
        bare: bareHeads(bench, logs),
        echo: served('echo'),
        'ours-1': served('ours-1'),
        'ours-2': served('ours-2'),
        original: served('original'),
      },
    };
  },
};

function servedNothing(bench: Bench, variant: Served, logs: readonly FilledLog[]): Measure {
  const pace = new Pace(40);
  const page = { after: ENTRIES, rows: 0 };
  return async (turn) => {
    const { url } = await bench.server(variant);
    const count = pace.requests(turn.seconds);
    const plans = logs.map((log) => {
      const request = pullRequest(log, page, 500, bench.tokens.bearer(log.scope));
      return Array.from({ length: count }, () => request);
    });
    const run = await drive(url, plans, turn.seconds, 10_000);
    const sent = run.exchanges.flat();
    pace.learn(sent.length / CLIENTS, run.seconds);
    const good = sent.filter(({ status }) => status === 200);
    if (variant !== 'echo')
      for (const [index, log] of logs.entries())
        for (const exchange of run.exchanges[index] ?? [])
          if (exchange.status === 200) checkPage(log, page, exchange);
    return {
      figures: {
        rate: good.length / run.seconds,
        ...percentiles(good.map(({ ms }) => ms)),
        failures: sent.length - good.length,
      },
    };
  };
}

/** What the database does for it: one head by its id. */
function bareHeads(bench: Bench, logs: readonly FilledLog[]): Measure {
  return async (turn) => {
    const store = await bench.bare();
    const latencies: number[] = [];
    collectGarbage();
    const started = performance.now();
    const until = started + turn.seconds * 1000;
    await Promise.all(
      logs.map(async ({ scope, head }) => {
        while (performance.now() < until) {
          const asked = performance.now();
          const found = await store.heads.findOne({ _id: scope });
          if (found?.version !== head) throw new Error(`The head of ${scope} is not what was filled in`);
          latencies.push(performance.now() - asked);
        }
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    return { figures: { rate: latencies.length / seconds, ...percentiles(latencies) } };
  };
}
