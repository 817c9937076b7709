import { drive, collectGarbage } from '../load/drive';
import { Pace } from '../load/pace';
import { checkPage, pullRequest, walkPages, type Page } from '../load/pull-pages';
import type { Variant } from '../model';
import { percentiles } from '../stats/summary';
import { FilledLog } from '../workload/filled-log';
import type { Bench, Measure, Row, Served } from './bench';
import { fillVariants } from './fills';

const ROWS = 20_000;
const PAGE = 1000;
const A_MINUTE_MS = 60_000;
const AN_HOUR_MS = 60 * A_MINUTE_MS;
const VARIANTS: readonly Variant[] = ['bare', 'ours-1', 'ours-2', 'original'];

export const PULL_ROWS: readonly Row[] = [1, 4].map((clients) => ({
  id: `pull-${String(clients)}`,
  title: `pull, pages of 1000, ${String(clients)} client${clients === 1 ? '' : 's'}`,
  figures: [
    { name: 'rate', label: 'rows', unit: 'per second' },
    { name: 'p50', label: 'p50 of a page', unit: 'ms' },
  ],
  targets: [
    { figure: 'rate', against: ['bare'], bound: { least: 0.6 } },
    { figure: 'rate', against: ['original'], bound: { least: 1.5 } },
  ],
  variants: VARIANTS,
  timed: true,
  overheadSeconds: 0.4,
  open: async (bench, variants) => {
    // Apart in time: the original takes no version twice in a database.
    const start = Date.now() - AN_HOUR_MS - clients * A_MINUTE_MS;
    const log = new FilledLog(`pull-${String(clients)}`, ROWS, bench.seed, start);
    await fillVariants(bench, variants, [log]);
    return {
      measures: {
        bare: barePull(bench, log, clients),
        'ours-1': servedPull(bench, 'ours-1', log, clients),
        'ours-2': servedPull(bench, 'ours-2', log, clients),
        original: servedPull(bench, 'original', log, clients),
      },
    };
  },
}));

/** Walks over the log again and again. The cursors are known, so that no answer is read in the timed region. */
function servedPull(bench: Bench, variant: Served, log: FilledLog, clients: number): Measure {
  const pace = new Pace(100 / clients);
  const walk = walkPages(ROWS, PAGE, variant === 'original' ? 1 : 0);
  return async (turn) => {
    const { url } = await bench.server(variant);
    const pages = repeated(walk, pace.requests(turn.seconds));
    const bearer = bench.tokens.bearer(log.scope);
    const plan = pages.map((page) => pullRequest(log, page, PAGE, bearer));
    const plans = Array.from({ length: clients }, () => plan);
    const run = await drive(url, plans, turn.seconds);
    const sent = run.exchanges.flat();
    pace.learn(sent.length / clients, run.seconds);
    let rows = 0;
    for (const exchanges of run.exchanges)
      for (const [place, exchange] of exchanges.entries())
        rows += checkPage(log, pages[place] as Page, exchange);
    return { figures: { rate: rows / run.seconds, ...percentiles(sent.map(({ ms }) => ms)) } };
  };
}

/** A cursor over entries that hold their text already, and the texts joined to a page. */
function barePull(bench: Bench, log: FilledLog, clients: number): Measure {
  const walk = walkPages(ROWS, PAGE);
  return async (turn) => {
    const store = await bench.bare();
    const texts: string[][] = Array.from({ length: clients }, () => []);
    const latencies: number[] = [];
    collectGarbage();
    const started = performance.now();
    const until = started + turn.seconds * 1000;
    await Promise.all(
      texts.map(async (pages) => {
        for (let place = 0; performance.now() < until; place = (place + 1) % walk.length) {
          const after = walk[place]?.after ?? 0;
          const asked = performance.now();
          const rows = await store.entries
            .find(
              { scope: log.scope, version: { $gt: log.version(after) } },
              {
                projection: { _id: 0, wire: 1 },
                sort: { version: 1 },
                limit: PAGE,
                batchSize: PAGE + 1,
              },
            )
            .toArray();
          pages.push(`[${rows.map(({ wire }) => wire).join(',')}]`);
          latencies.push(performance.now() - asked);
        }
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    const rows = texts.flat().reduce((sum, text) => sum + (JSON.parse(text) as unknown[]).length, 0);
    if (rows !== latencies.length * PAGE) throw new Error('The bare pages are not complete');
    return { figures: { rate: rows / seconds, ...percentiles(latencies) } };
  };
}

function repeated<T>(values: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, place) => values[place % values.length] as T);
}
