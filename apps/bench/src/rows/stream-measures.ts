import { setTimeout as delay } from 'node:timers/promises';
import { Connection, type Exchange, type Prepared } from '../load/connection';
import { collectGarbage } from '../load/drive';
import { devicePlans, pushRequests } from '../load/push-plan';
import { checkSubscribers, Subscribers } from '../load/subscribers';
import { percentiles } from '../stats/summary';
import type { Bench, Measure, Served } from './bench';
import { BareBatches } from '../bare/bare-push';
import type { Server } from '../processes/child';

const WRITES_PER_SECOND = 50;
export const BETWEEN_MS = 1000 / WRITES_PER_SECOND;
const SECONDS = 3;
export const LATE_MS = 10_000;
/** So that a slow write does not hold up the next one. The original fails when two writes meet. */
const CONNECTIONS = { ours: 4, original: 1 };

/** How many writes a turn has: p99 needs more of them than a rate. */
export function writesOf(bench: Bench, round: number): number {
  return WRITES_PER_SECOND * (bench.quick || round === 0 ? 1 : SECONDS);
}

/**
 * 50 writes a second to a scope with subscribers. The latency of each delivery is from when the push was sent to when
 * the socket's client had the message.
 */
export function servedStream(bench: Bench, variant: Served, subscribers: number): Measure {
  return async ({ name, round }) => {
    const server = await bench.server(variant);
    return { figures: await streamOnce(bench, server, name, subscribers, writesOf(bench, round), true) };
  };
}

/** The peer in its own process, once: if it hangs, it hangs for good. */
export function originalStream(bench: Bench, subscribers: number): Measure {
  return async ({ name, round }) => {
    if (round !== 1) return { figures: {} };
    const server = await bench.ownOriginal();
    try {
      const writes = writesOf(bench, round);
      return { figures: await streamOnce(bench, server, name, subscribers, writes, false) };
    } finally {
      await server.stop();
    }
  };
}

async function streamOnce(
  bench: Bench,
  { url }: Server,
  scope: string,
  count: number,
  writes: number,
  ours: boolean,
): Promise<Record<string, number>> {
  const [plan] = devicePlans(bench.seed, scope, { clients: 1, batch: 1, scopes: 'one' }, writes);
  if (!plan) throw new Error('Nothing to write');
  const [requests = []] = pushRequests([plan], () => bench.tokens.bearer(scope));
  const token = bench.tokens.sign(scope);
  const subscribers = await Subscribers.open({ url, count, token: () => token, ack: ours });
  // The original confirms nothing: time to open its change streams.
  if (!ours) await delay(2000);
  const connections = Array.from(
    { length: ours ? CONNECTIONS.ours : CONNECTIONS.original },
    () => new Connection(url, LATE_MS),
  );
  try {
    const complete = subscribers.until(writes * count, LATE_MS + writes * BETWEEN_MS);
    const writing = writeSteadily(connections, requests);
    // What is not answered by then never will be.
    if (!(await complete)) await Promise.all(connections.map((connection) => connection.close()));
    const answers = await writing;
    const failures = answers.filter(({ status }) => status !== 200).length;
    const lost = writes * count - subscribers.received;
    if (ours && failures === 0) checkSubscribers(subscribers);
    return { ...latenciesOf(subscribers, answers, plan.pushes), lost, failures };
  } finally {
    subscribers.close();
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

async function writeSteadily(
  connections: readonly Connection[],
  requests: readonly Prepared[],
): Promise<Exchange[]> {
  collectGarbage();
  const started = performance.now();
  const answers: Promise<Exchange>[] = [];
  for (const [place, request] of requests.entries()) {
    await delay(Math.max(0, started + place * BETWEEN_MS - performance.now()));
    answers.push((connections[place % connections.length] as Connection).send(request));
  }
  return Promise.all(answers);
}

function latenciesOf(
  { reference, times }: Subscribers,
  answers: readonly Exchange[],
  pushes: readonly (readonly { readonly doc_id: string }[])[],
): Record<string, number> {
  const writes = new Map(pushes.map(([change], place) => [change?.doc_id ?? '', answers[place]]));
  const order = reference.map((message) => {
    const { doc_id } = JSON.parse(message.toString('utf8')) as { doc_id: string };
    return writes.get(doc_id);
  });
  const fromSent: number[] = [];
  const fromAnswer: number[] = [];
  for (const socket of times)
    for (const [place, at] of socket.entries()) {
      const write = order[place];
      if (!write) continue;
      fromSent.push(at - write.sentAt);
      fromAnswer.push(at - write.sentAt - write.ms);
    }
  const { p50, p99 } = percentiles(fromSent);
  return { p50, p99, p50FromAnswer: percentiles(fromAnswer).p50 };
}

/** The driver alone: an insert with `w: "majority"`, and a change stream of the log that sees it. */
export function bareStream(bench: Bench): Measure {
  return async ({ name, round }) => {
    const store = await bench.bare();
    const writes = writesOf(bench, round);
    const [plan] = devicePlans(bench.seed, name, { clients: 1, batch: 1, scopes: 'one' }, writes);
    const batches = new BareBatches(name);
    const entries = (plan?.pushes ?? []).flatMap((changes) => batches.next(changes).entries);
    const stream = store.entries.watch([{ $match: { operationType: 'insert', 'fullDocument.scope': name } }]);
    // Opens it on the server.
    await stream.tryNext();
    const seenAt = new Map<number, number>();
    const sentAt = new Map<number, number>();
    const seen = (async () => {
      while (seenAt.size < entries.length) {
        const event = await stream.next();
        if (event.operationType === 'insert') seenAt.set(event.fullDocument.seq, performance.now());
      }
    })();
    collectGarbage();
    const started = performance.now();
    const inserts: Promise<unknown>[] = [];
    for (const [place, entry] of entries.entries()) {
      await delay(Math.max(0, started + place * BETWEEN_MS - performance.now()));
      sentAt.set(entry.seq, performance.now());
      inserts.push(store.entries.insertOne(entry));
    }
    await Promise.all(inserts);
    await seen;
    await stream.close();
    return { figures: percentiles([...seenAt].map(([seq, at]) => at - (sentAt.get(seq) ?? NaN))) };
  };
}
