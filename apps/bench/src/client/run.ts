/**
 * `npm run bench:client -- [--peers] [--rounds N] [--only load,flush,spread,tabs,many] [--json FILE] [--docs FILE]`: the client in
 * Chromium against the benchmark's server, what the same takes at least in this browser, and with --peers RxDB and TanStack DB as
 * they come. Variants take turns in each round; the table has medians, and of ratios the median of the rounds.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readOptions, type Options } from '../options';
import { writeFormatted } from '../report/write';
import { Stage } from '../stage';
import { buildPages, installPeers, type ClientVariant } from './pages';
import { Profile } from './profile';
import { Results } from './results';
import type { FilledLog } from '../workload/filled-log';
import { DATABASE, flush, load, loadAgain, Scopes, spread, tabs, type Figure, type World } from './scenarios';

const SCENARIOS = ['load', 'flush', 'spread', 'tabs', 'many'] as const;
const SCENARIO_LIMIT_MS = 120_000;
type Scenario = (typeof SCENARIOS)[number];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      peers: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string', default: SCENARIOS.join() },
      json: { type: 'string' },
      docs: { type: 'string' },
    },
  });
  const only = values.only.split(',') as Scenario[];
  const peers = values.peers ? installPeers() : undefined;
  const variants: ClientVariant[] = ['limits', 'ours', ...(peers ? (['rxdb', 'tanstack'] as const) : [])];
  const busy = loadavg()[0] ?? 0;
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'bench-pages-'));
  const stage = await Stage.open(readOptions([]) as Options);
  const results = new Results(variants);
  try {
    await buildPages(folder, variants, peers);
    const { url } = await stage.ownServer(DATABASE, { pages: folder });
    const scopes = new Scopes(stage.seed);
    await scopes.fill(stage);
    const world = { stage, first: await Profile.start(url), second: await Profile.start(url) };
    try {
      for (let round = 0; round < Number(values.rounds); round += 1)
        for (const scenario of only)
          for (const variant of variants) {
            // A hundred thousand rows take RxDB most of a minute: once is enough.
            if (scenario === 'many' && variant === 'rxdb' && round > 0) continue;
            console.error(`round ${String(round + 1)}: ${scenario}, ${variant}`);
            const figures = await inTime(play(world, scopes, scenario, variant)).catch((error: unknown) => {
              // A peer that fails loses its cell; ours must not.
              if (variant === 'limits' || variant === 'ours') throw error;
              console.error(`${variant}: ${String(error)}`);
              return [];
            });
            results.add(round, variant, figures);
          }
    } finally {
      await world.first.close();
      await world.second.close();
    }
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const seconds = (performance.now() - started) / 1000;
  const circumstances = { date: new Date().toISOString(), rounds: Number(values.rounds), busy, seconds };
  console.log(results.table());
  console.log(`${seconds.toFixed(0)} s${busy > 0.5 ? `, on a busy machine (load ${busy.toFixed(1)})` : ''}`);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ circumstances, rows: results.rows() }, null, 2)}\n`);
  if (values.docs !== undefined)
    await writeFormatted(values.docs, results.inPage(readFileSync(values.docs, 'utf8'), circumstances));
}

function play(
  world: World,
  scopes: Scopes,
  scenario: Scenario,
  variant: ClientVariant,
): Promise<readonly Figure[]> {
  const both = async (log: FilledLog): Promise<readonly Figure[]> => [
    ...(await load(world, variant, log)),
    ...(variant === 'ours' ? await loadAgain(world, log) : []),
  ];
  switch (scenario) {
    case 'load':
      return both(scopes.some);
    case 'many':
      return both(scopes.many);
    case 'flush':
      return flush(world, variant);
    case 'spread':
      return spread(world, variant, scopes.edited);
    case 'tabs':
      return tabs(world, variant, scopes.edited);
  }
}

/** A peer that never gets there must not hold up the others. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('It took too long.')), SCENARIO_LIMIT_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
