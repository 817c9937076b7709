import { Connection, type Exchange, type Prepared } from '../load/connection';
import { collectGarbage } from '../load/drive';
import { fill, FILL_OURS } from '../load/fill';
import { checkPage, pullRequest, type Page } from '../load/pull-pages';
import { checkPushes } from '../load/push-check';
import { pushRequests } from '../load/push-plan';
import type { Sample } from '../model';
import { percentiles } from '../stats/summary';
import { FilledLog } from '../workload/filled-log';
import { noteChanges } from '../workload/notes';
import { seeded, seedFor, type Random } from '../workload/random';
import type { Bench, Row, Turn } from './bench';
import { largeDatabase } from './large-database';

const SMALL = 10_000;
const SCOPES = 10_000;
const QUICK_SCOPES = 1_000;
/** Entries of each of the many scopes, and rows of a page: so a page is as long in all of them. */
const PAGE = 100;
const TIMES = 200;
const QUICK_TIMES = 40;
const A_DAY_MS = 86_400_000;

/** A database of some size, and where in it the next request goes. */
interface Place {
  readonly name: 'small' | 'entries' | 'scopes';
  readonly connection: Connection;
  readonly log: (random: Random) => FilledLog;
}

/** The same two requests, one after the other in databases of three sizes, so that all share the machine's moods. */
export const GROWTH_ROW: Row = {
  id: 'growth',
  title: 'growth: 10,000 to 1,000,000 entries, 1 to 10,000 scopes',
  figures: [
    { name: 'pushEntries', label: 'p50 of push x1, by entries', unit: 'times' },
    { name: 'pullEntries', label: 'p50 of a pull page, by entries', unit: 'times' },
    { name: 'pushScopes', label: 'p50 of push x1, by scopes', unit: 'times' },
    { name: 'pullScopes', label: 'p50 of a pull page, by scopes', unit: 'times' },
  ],
  targets: ['pushEntries', 'pullEntries', 'pushScopes', 'pullScopes'].map((figure) => ({
    figure,
    bound: { most: 1.15 },
  })),
  variants: ['ours-1'],
  timed: false,
  overheadSeconds: 8,
  open: async (bench) => {
    const places = await openPlaces(bench);
    return {
      measures: { 'ours-1': (turn) => measure(bench, places, turn) },
      close: async () => {
        await Promise.all(places.map(({ connection }) => connection.close()));
      },
    };
  },
};

async function openPlaces(bench: Bench): Promise<Place[]> {
  const small = new FilledLog('small', SMALL, bench.seed);
  const start = Date.now() - A_DAY_MS;
  const many = Array.from(
    { length: bench.quick ? QUICK_SCOPES : SCOPES },
    (_, index) => new FilledLog(`scope-${String(index)}`, PAGE, bench.seed, start),
  );
  await fill(bench.client.db('bench_small'), FILL_OURS, [small]);
  await fill(bench.client.db('bench_scopes'), FILL_OURS, many);
  const { server, million } = await largeDatabase(bench);
  const connect = ({ url }: { url: string }): Connection => new Connection(url);
  return [
    { name: 'small', connection: connect(await bench.ownServer('bench_small')), log: () => small },
    { name: 'entries', connection: connect(server), log: () => million },
    {
      name: 'scopes',
      connection: connect(await bench.ownServer('bench_scopes')),
      log: (random) => many[Math.floor(random() * many.length)] as FilledLog,
    },
  ];
}

async function measure(bench: Bench, places: readonly Place[], { name }: Turn): Promise<Sample> {
  const times = bench.quick ? QUICK_TIMES : TIMES;
  const random = seeded(seedFor(bench.seed, name));
  const plans = new Map(places.map((place) => [place, planFor(bench, place, name, random, times)]));
  const pushes = new Map<Place, Exchange[]>(places.map((place) => [place, []]));
  const pulls = new Map<Place, Exchange[]>(places.map((place) => [place, []]));
  collectGarbage();
  for (let time = 0; time < times; time += 1)
    for (const place of places) {
      const step = plans.get(place)?.[time];
      if (!step) continue;
      pushes.get(place)?.push(await place.connection.send(step.push));
      pulls.get(place)?.push(await place.connection.send(step.pull));
    }
  const figures: Record<string, number> = {};
  for (const place of places) {
    const [pushed = [], pulled = []] = [pushes.get(place), pulls.get(place)];
    check(plans.get(place) ?? [], pushed, pulled);
    figures[`${place.name}Push`] = percentiles(pushed.map(({ ms }) => ms)).p50;
    figures[`${place.name}Pull`] = percentiles(pulled.map(({ ms }) => ms)).p50;
  }
  const ratio = (of: string, to: string): number => (figures[of] ?? NaN) / (figures[to] ?? NaN);
  return {
    figures: {
      pushEntries: ratio('entriesPush', 'smallPush'),
      pullEntries: ratio('entriesPull', 'smallPull'),
      pushScopes: ratio('scopesPush', 'smallPush'),
      pullScopes: ratio('scopesPull', 'smallPull'),
      ...figures,
    },
  };
}

interface Step {
  readonly log: FilledLog;
  readonly page: Page;
  readonly changes: ReturnType<typeof noteChanges>;
  readonly push: Prepared;
  readonly pull: Prepared;
}

function planFor(bench: Bench, place: Place, turn: string, random: Random, times: number): Step[] {
  return Array.from({ length: times }, (_, time) => {
    const log = place.log(random);
    const changes = noteChanges(random, 1, time);
    // Mutations of one turn must not meet those of another: the scopes stay.
    const unique = changes.map((change) => ({ ...change, mutation_id: `${turn}-${String(time)}` }));
    const bearer = bench.tokens.bearer(log.scope);
    const [[push] = []] = pushRequests([{ scope: log.scope, pushes: [unique] }], () => bearer);
    const page = { after: Math.floor(random() * (log.count - PAGE + 1)), rows: PAGE };
    return { log, page, changes, push: push as Prepared, pull: pullRequest(log, page, PAGE, bearer) };
  });
}

function check(steps: readonly Step[], pushed: readonly Exchange[], pulled: readonly Exchange[]): void {
  for (const [time, { log, page, changes }] of steps.entries()) {
    const push = pushed[time];
    const pull = pulled[time];
    if (!push || !pull) throw new Error('A request was not sent');
    const { failures } = checkPushes([{ scope: log.scope, pushes: [changes] }], [[push]]);
    if (failures > 0) throw new Error(`A push into ${log.scope} failed`);
    checkPage(log, page, pull);
  }
}
