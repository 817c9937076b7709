import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { fill, FILL_OURS } from '../load/fill';
import { OURS, storedCounts } from '../load/stored-counts';
import { quantile } from '../stats/summary';
import type { Stage } from '../stage';
import { FilledLog } from '../workload/filled-log';
import { note } from '../workload/notes';
import { seeded, uuid } from '../workload/random';
import type { Note, Setup } from './page/device';
import { digestOf } from './page/device';
import type { ClientVariant } from './pages';
import type { Profile, Tab } from './profile';

export const DATABASE = 'bench_client';
const SOME = 10_000;
const MANY = 100_000;
const EDITED = 1_000;
const EDITS = 100;
const FLUSHED = 1_000;
const PAUSE_MS = 30;
const LIMIT_MS = 60_000;

/** One figure of one run: the row, and its value. */
export type Figure = readonly [row: string, value: number];

/** What scenarios are played with. */
export interface World {
  readonly stage: Stage;
  readonly first: Profile;
  readonly second: Profile;
}

/** Scopes with documents that were not pushed: 10,000 and 100,000 to load, 1,000 to edit. */
export class Scopes {
  readonly some: FilledLog;
  readonly many: FilledLog;
  readonly edited: FilledLog;

  constructor(seed: number) {
    this.some = new FilledLog('some', SOME, seed);
    this.many = new FilledLog('many', MANY, seed);
    this.edited = new FilledLog('edited', EDITED, seed);
  }

  async fill(stage: Stage): Promise<void> {
    const db = stage.client.db(DATABASE);
    await fill(db, FILL_OURS, [this.some, this.many, this.edited]);
  }
}

let runs = 0;
/** A device that has never been here. */
function setupFor({ stage }: World, scope: string): Setup {
  runs += 1;
  return { name: `run-${String(runs)}`, token: stage.tokens.sign(scope) };
}

function expectAll(digest: string, log: FilledLog): void {
  assert.equal(digest, digestOf(Array.from(log.rows(), ({ id, data }) => [id, data] as const)));
}

/** A first load, and the next start with what is stored; with many documents the heap too. */
export async function load(world: World, variant: ClientVariant, log: FilledLog): Promise<Figure[]> {
  const { first } = world;
  const setup = setupFor(world, log.scope);
  const { count } = log;
  const size = count === MANY ? '100k' : '10k';
  let tab = await first.open(variant);
  try {
    if (variant === 'limits') {
      const before = await tab.heap();
      const { fetch, store, digest } = await tab.limits('load', setup);
      expectAll(digest, log);
      const figures: Figure[] = [
        [`load ${size}`, fetch + store],
        [`store ${size}`, store],
      ];
      if (count === MANY) return [...figures, ['heap, all shown', (await tab.heap()) - before]];
      return [...figures, ['start 10k', await tab.limits('start', setup, count)]];
    }
    const before = await tab.heap();
    const { ms, longestTask } = await tab.calls('load', setup, count);
    expectAll(await tab.calls('digest'), log);
    const figures: Figure[] = [
      [`load ${size}`, ms],
      [`longest task ${size}`, longestTask],
    ];
    if (count === MANY) {
      const shown = (await tab.heap()) - before;
      await tab.calls('hide');
      return [...figures, ['heap, all shown', shown], ['heap, nothing shown', (await tab.heap()) - before]];
    }
    if (variant === 'tanstack') return figures;
    await tab.close();
    tab = await first.open(variant);
    const again = await tab.calls('load', setup, count);
    expectAll(await tab.calls('digest'), log);
    return [...figures, ['start 10k', again.ms]];
  } finally {
    await tab.close();
    await first.wipe();
  }
}

/** A first load from what another one was answered, which is in memory: against parse and store. */
export async function loadAgain(world: World, log: FilledLog): Promise<Figure[]> {
  const { first } = world;
  const tab = await first.open('ours');
  try {
    const setups = [setupFor(world, log.scope), setupFor(world, log.scope)] as const;
    const { ms } = await tab.calls('again', ...setups, log.count);
    expectAll(await tab.calls('digest'), log);
    return [[`store ${log.count === MANY ? '100k' : '10k'}`, ms]];
  } finally {
    await tab.close();
    await first.wipe();
  }
}

/** Edits that were made offline, from the return of the network until the server has taken them. */
export async function flush(world: World, variant: ClientVariant): Promise<Figure[]> {
  const { first, stage } = world;
  const scope = `flush-${String(++runs)}`;
  const setup = setupFor(world, scope);
  const random = seeded(runs);
  const notes: [string, Note][] = Array.from({ length: FLUSHED }, () => [uuid(random), note(random)]);
  const tab = await first.open(variant);
  try {
    let figures: Figure[];
    if (variant === 'limits') figures = [['flush', await tab.limits('flush', setup, notes)]];
    else {
      await first.offline(true);
      await tab.calls('open', setup);
      const added = await tab.calls('add', notes);
      const sent = tab.calls('flushed');
      // The page listens before the network is back.
      await delay(100);
      await first.offline(false);
      const { ms, requests } = await sent;
      figures = [
        ['add offline', added],
        ['flush', ms],
        ['requests', requests],
      ];
    }
    const { documents } = await storedCounts(stage.client.db(DATABASE), OURS, [scope]);
    assert.equal(documents, FLUSHED);
    return figures;
  } finally {
    await first.offline(false);
    await tab.close();
    await first.wipe();
  }
}

/** Edits of one device, until another one shows them. */
export async function spread(world: World, variant: ClientVariant, log: FilledLog): Promise<Figure[]> {
  const { first, second } = world;
  const [from, to] = [await first.open(variant), await second.open(variant)];
  try {
    if (variant === 'limits') {
      await to.limits('listen', setupFor(world, log.scope));
      const setup = setupFor(world, log.scope);
      const edit = (ids: readonly string[], qty: number) => from.limits('edit', setup, ids, qty, PAUSE_MS);
      return latencies('device to device', await edited(edit, () => to.limits('seen'), log));
    }
    await from.calls('load', setupFor(world, log.scope), log.count);
    await to.calls('load', setupFor(world, log.scope), log.count);
    await to.calls('note');
    return latencies('device to device', await edited(editBy(from), () => to.calls('seen'), log));
  } finally {
    await from.close();
    await to.close();
    await first.wipe();
    await second.wipe();
  }
}

/** Edits of a tab, until another one shows them. */
export async function tabs(world: World, variant: ClientVariant, log: FilledLog): Promise<Figure[]> {
  const { first } = world;
  const [from, to] = [await first.open(variant), await first.open(variant)];
  try {
    if (variant === 'limits') {
      await to.limits('hear', 'bench');
      const begun = await from.limits('say', 'bench', EDITS, PAUSE_MS);
      return latencies('tab to tab', await passed(begun, () => to.limits('seen')));
    }
    if (variant === 'tanstack') return [];
    const setup = setupFor(world, log.scope);
    await from.calls('load', setup, log.count);
    await to.calls('load', setup, log.count);
    await to.calls('note');
    return latencies('tab to tab', await edited(editBy(from), () => to.calls('seen'), log));
  } finally {
    await from.close();
    await to.close();
    await first.wipe();
  }
}

const editBy = (tab: Tab) => (ids: readonly string[], qty: number) => tab.calls('edit', ids, qty, PAUSE_MS);

type Times = readonly (readonly [key: string, at: number])[];

/** Some edits first, until the way is open; then those that are timed. Quantities that no document has had. */
async function edited(
  edit: (ids: readonly string[], qty: number) => Promise<Times>,
  seen: () => Promise<Times>,
  log: FilledLog,
): Promise<number[]> {
  const ids = log.sortedIds();
  runs += 1;
  await passed(await edit(ids.slice(0, 5), runs * 10_000), seen);
  return passed(await edit(ids.slice(0, EDITS), runs * 10_000 + 5_000), seen);
}

async function passed(begun: Times, seen: () => Promise<Times>): Promise<number[]> {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    const there = new Map(await seen());
    const times = begun.flatMap(([key, at]) => {
      const shown = there.get(key);
      return shown === undefined ? [] : [shown - at];
    });
    if (times.length === begun.length) return times;
    if (performance.now() > deadline)
      throw new Error(`${String(times.length)} of ${String(begun.length)} edits were shown.`);
    await delay(50);
  }
}

function latencies(name: string, times: readonly number[]): Figure[] {
  const sorted = Float64Array.from(times).sort();
  return [
    [`${name}, p50`, quantile(sorted, 0.5)],
    [`${name}, p95`, quantile(sorted, 0.95)],
  ];
}
