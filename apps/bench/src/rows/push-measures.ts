import type { mongo } from 'mongoose';
import { commitBatch, BareBatches, insertHeads } from '../bare/bare-push';
import { drive, collectGarbage, type Drive } from '../load/drive';
import { Pace } from '../load/pace';
import { checkPushes } from '../load/push-check';
import { devicePlans, pushRequests, type DevicePlan, type PushShape } from '../load/push-plan';
import { driveSockets, pushMessages } from '../load/socket-pushes';
import { checkStored, OURS, ORIGINAL, storedCounts } from '../load/stored-counts';
import type { Sample } from '../model';
import { percentiles } from '../stats/summary';
import { databaseOf, type Bench, type Measure, type Turn } from './bench';

/** A first guess of what a machine can do; learned again for each variant. */
const CHANGES_PER_SECOND = 12_000;
const MOST_REQUESTS_PER_SECOND = 400;
/** The peer hangs now and then. */
const ORIGINAL_LIMIT_MS = 5_000;

/** Pushes over HTTP until the time is over. Counts what was answered, compares it with the database. */
export function servedPushes(bench: Bench, variant: 'echo' | 'ours-1' | 'ours-2', shape: PushShape): Measure {
  const pace = firstPace(shape);
  return async (turn) => {
    const { url } = await bench.server(variant);
    const { plans, run } = await push(bench, url, shape, pace, turn);
    if (variant === 'echo') {
      const sent = run.exchanges.flat();
      const latencies = percentiles(sent.map(({ ms }) => ms));
      const failures = sent.filter(({ status }) => status !== 200).length;
      const changes = (sent.length - failures) * shape.batch;
      return { figures: { rate: changes / run.seconds, ...latencies, failures } };
    }
    return judged(bench.client.db(databaseOf(variant)), shape, plans, run);
  };
}

/** The same with a server that only one row has. */
export function pushesTo(
  bench: Bench,
  { url, db }: { readonly url: string; readonly db: mongo.Db },
  shape: PushShape,
): Measure {
  const pace = firstPace(shape);
  return async (turn) => {
    const { plans, run } = await push(bench, url, shape, pace, turn);
    return judged(db, shape, plans, run);
  };
}

async function push(
  bench: Bench,
  url: string,
  shape: PushShape,
  pace: Pace,
  turn: Turn,
): Promise<{ plans: DevicePlan[]; run: Drive }> {
  const plans = devicePlans(bench.seed, turn.name, shape, pace.requests(turn.seconds));
  const requests = pushRequests(plans, (scope) => bench.tokens.bearer(scope));
  const run = await drive(url, requests, turn.seconds);
  pace.learn(run.exchanges.flat().length / shape.clients, run.seconds);
  return { plans, run };
}

/** The same over the socket: one push of each client under way, as a device does it. */
export function socketPushes(bench: Bench, variant: 'ours-1' | 'ours-2', shape: PushShape): Measure {
  const pace = firstPace(shape);
  return async (turn) => {
    const { url } = await bench.server(variant);
    const plans = devicePlans(bench.seed, turn.name, shape, pace.requests(turn.seconds));
    const messages = pushMessages(plans, (scope) => bench.tokens.bearer(scope));
    const run = await driveSockets(url, messages, turn.seconds);
    pace.learn(run.exchanges.flat().length / shape.clients, run.seconds);
    return judged(bench.client.db(databaseOf(variant)), shape, plans, run);
  };
}

async function judged(
  db: mongo.Db,
  shape: PushShape,
  plans: readonly DevicePlan[],
  run: Drive,
): Promise<Sample> {
  const { accepted, failures, errors } = checkPushes(plans, run.exchanges);
  const layout = { ...OURS, documents: shape.collection ?? OURS.documents };
  const scopes = plans.map(({ scope }) => scope);
  await checkStored(db, layout, scopes, accepted);
  const latencies = percentiles(run.exchanges.flat().map(({ ms }) => ms));
  return { figures: { rate: accepted / run.seconds, ...latencies, failures, errors } };
}

/**
 * The peer fails under concurrency: only what it has accepted and kept is counted, and of several shapes the best.
 */
export function originalPushes(bench: Bench, shapes: readonly PushShape[]): Measure {
  const runs = shapes.map((shape) => onePeerRun(bench, shape));
  return async (turn) => {
    const samples: Sample[] = [];
    for (const [index, run] of runs.entries())
      samples.push(
        await run({
          ...turn,
          name: `${turn.name}-${String(index)}`,
          seconds: turn.seconds / runs.length,
        }),
      );
    const rate = (sample: Sample): number => sample.figures['rate'] ?? 0;
    return samples.reduce((best, sample) => (rate(sample) > rate(best) ? sample : best));
  };
}

function onePeerRun(bench: Bench, shape: PushShape): Measure {
  const pace = new Pace(Math.min(30, MOST_REQUESTS_PER_SECOND / shape.clients));
  return async (turn) => {
    const { url } = await bench.server('original');
    const plans = devicePlans(bench.seed, turn.name, shape, pace.requests(turn.seconds));
    const requests = pushRequests(plans, (scope) => bench.tokens.bearer(scope));
    const run = await drive(url, requests, turn.seconds, ORIGINAL_LIMIT_MS);
    const sent = run.exchanges.flat();
    pace.learn(sent.length / shape.clients, run.seconds);
    const good = sent.filter(({ status }) => status === 200);
    const scopes = plans.map(({ scope }) => scope);
    const { entries } = await storedCounts(bench.client.db(databaseOf('original')), ORIGINAL, scopes);
    const accepted = Math.min(good.length * shape.batch, entries);
    const failures = sent.length - good.length;
    return {
      figures: {
        rate: accepted / run.seconds,
        ...percentiles(good.map(({ ms }) => ms)),
        failures,
        asked: sent.length,
      },
    };
  };
}

/** As many concurrent transactions as there are clients, each with one batch in its own scope. */
export function barePushes(bench: Bench, shape: PushShape): Measure {
  const pace = firstPace(shape);
  return async (turn: Turn): Promise<Sample> => {
    const store = await bench.bare();
    const plans = devicePlans(bench.seed, turn.name, shape, pace.requests(turn.seconds));
    const work = plans.map(({ scope, pushes }) => {
      const batches = new BareBatches(scope);
      return pushes.map((changes) => batches.next(changes));
    });
    const scopes = plans.map(({ scope }) => scope);
    await insertHeads(store, scopes);
    const latencies: number[] = [];
    collectGarbage();
    const started = performance.now();
    const until = started + turn.seconds * 1000;
    await Promise.all(
      work.map((batches) =>
        store.client.withSession(async (session) => {
          for (const batch of batches) {
            const sentAt = performance.now();
            if (sentAt >= until) break;
            await commitBatch(store, session, batch);
            latencies.push(performance.now() - sentAt);
          }
        }),
      ),
    );
    const seconds = (performance.now() - started) / 1000;
    pace.learn(latencies.length / shape.clients, seconds);
    const changes = latencies.length * shape.batch;
    const layout = { log: 'entries', logScope: 'scope', documents: 'documents' };
    await checkStored(store.db, layout, scopes, changes);
    return { figures: { rate: changes / seconds, ...percentiles(latencies) } };
  };
}

function firstPace({ clients, batch }: PushShape): Pace {
  return new Pace(Math.min(CHANGES_PER_SECOND / clients / batch, MOST_REQUESTS_PER_SECOND));
}
