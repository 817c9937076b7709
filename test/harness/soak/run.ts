/**
 * The soak: one server process under a steady mixed load for an hour, in rounds. Each round is a conformance run of a
 * fresh tenant (writers over HTTP and the socket, patches of documents that all of them patch, groups, the person's own scope and
 * the catalogue, pulling readers, listeners that come and go, stalled sockets, flawed changes, retries) next to
 * full resyncs that are abandoned in the middle; its verdict counts. Between two rounds nobody is connected: then the
 * process's memory (after a garbage collection) and descriptors and the database's cursors, connections and open transactions are noted.
 *
 * `npm run build && npm run check:soak -- [--minutes 60] [--seed 1] [--json FILE]`. Linux: it reads /proc. Ends with 1
 * when memory grows by more than 1 MB in ten minutes after the warm-up, the p99 of a push drifts, something is left
 * open, or an invariant is violated.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import mongoose from 'mongoose';
import { startEmbeddedMongo } from '../../../libs/embedded-mongo/src';
import { judge, type History } from '../../../libs/conformance/src';
import { runWorkload } from '../../../libs/conformance/src/workload';
import { withDatabase } from '../../support/database';
import { demoClient } from '../../support/demo-client';
import { startDemo } from '../../support/demo-process';
import { AbandonedReads } from './abandoned-reads';
import { takeCensus, type Census } from './census';
import { assess, type Round } from './hour';
import { quantile } from './trend';

const ROUND_SECONDS = 75;
const WARM_UP_SHARE = 1 / 6;
const ABANDONED_EACH_MS = 2_000;
/** Keep-alive connections of the load and the server's idle sockets end within seconds. */
const REST_LIMIT_MS = 30_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
    },
  });
  const seconds = Number(values.minutes) * 60;
  const folder = mkdtempSync(join(tmpdir(), 'sync-soak-'));
  const mongod = await startEmbeddedMongo({ dataDir: folder });
  const demo = await startDemo({
    MONGODB_URI: withDatabase(mongod.uri, 'soak'),
    // The log keeps some minutes only, so that trimming works all the time and the data stays of one size.
    SYNC_OPLOG_TTL_DAYS: String(8 / 24 / 60),
    SYNC_TRIM_INTERVAL_MS: '10000',
    SYNC_TRIM_GRACE_MS: '60000',
    SYNC_PING_INTERVAL_MS: '5000',
    NODE_OPTIONS: `--require=${join(__dirname, 'collect-garbage.cjs')}`,
  });
  const client = await mongoose.mongo.MongoClient.connect(mongod.uri, { maxPoolSize: 1 });
  const database = client.db('soak');
  const [pid = 0] = demo.pids;
  const began = performance.now();
  const elapsed = (): number => (performance.now() - began) / 1000;
  const rounds: Round[] = [];
  try {
    const abandoned = await AbandonedReads.seed(demo.url);
    while (elapsed() < seconds) {
      const number = rounds.length + 1;
      const history = await load(demo.url, Number(values.seed) + number, `round${String(number)}`, abandoned);
      process.kill(pid, 'SIGUSR2');
      const rest = await atRest(() => takeCensus(pid, database));
      rounds.push(roundOf(history, elapsed(), rest));
      print(number, rounds.at(-1)!);
    }
  } finally {
    await client.close();
    await demo.end('SIGTERM');
    await mongod.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  const assessment = assess(rounds, seconds * WARM_UP_SHARE);
  if (values.json !== undefined)
    writeFileSync(values.json, JSON.stringify({ minutes: seconds / 60, assessment, rounds }, null, 2));
  console.log(
    `${String(rounds.reduce((sum, { changes }) => sum + changes, 0))} changes in ${String(rounds.length)} rounds; ` +
      `memory ${assessment.rssSlope.toFixed(2)} MB in ten minutes, p99 ${assessment.p99Drift.toFixed(2)} times the first`,
  );
  for (const problem of assessment.problems) console.log(`FAIL ${problem}`);
  process.exitCode = assessment.problems.length > 0 ? 1 : 0;
}

async function load(url: string, seed: number, name: string, abandoned: AbandonedReads): Promise<History> {
  // A person of each round: their own scope is as fresh as their business.
  const main = await demoClient(url, `soak-${name}`, `${name}-main`);
  const other = await demoClient(url, `soak-${name}-other`, `${name}-other`);
  const over = new AbortController();
  const leaving = leaveReads(abandoned, over.signal);
  try {
    return await runWorkload({
      urls: [url],
      token: main.token,
      otherToken: other.token,
      collections: [
        {
          name: 'notes',
          template: { text: '{marker}', visits: 0, tags: [] },
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
      seed,
      seconds: ROUND_SECONDS,
      // A steady load that leaves room: at the limit, latency says more about the neighbours than about the server.
      writerPauseMs: 80,
      maxBatch: 20,
    });
  } finally {
    over.abort();
    await leaving;
  }
}

async function leaveReads(abandoned: AbandonedReads, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await abandoned.leaveOne();
    await delay(ABANDONED_EACH_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** The census once it no longer goes down. */
async function atRest(take: () => Promise<Census>): Promise<Census> {
  const limit = performance.now() + REST_LIMIT_MS;
  let last = await take();
  for (let steady = 0; steady < 5 && performance.now() < limit;) {
    await delay(1_000);
    const next = await take();
    steady = next.descriptors < last.descriptors || next.cursors < last.cursors ? 0 : steady + 1;
    last = next;
  }
  return last;
}

function roundOf(history: History, at: number, rest: Census): Round {
  const times = (kind: 'push' | 'pull'): number[] =>
    history.events.flatMap((event) =>
      event.kind === kind && event.answer?.status === 200 ? [event.answeredAt - event.sentAt] : [],
    );
  const pushes = times('push');
  return {
    at,
    changes: history.events.reduce(
      (sum, event) => sum + (event.kind === 'push' ? event.changes.length : 0),
      0,
    ),
    pushP50: quantile(pushes, 0.5),
    pushP99: quantile(pushes, 0.99),
    pullP99: quantile(times('pull'), 0.99),
    violated: judge(history)
      .findings.filter((finding) => finding.violated > 0)
      .map(({ invariant }) => invariant),
    rest,
  };
}

function print(number: number, { at, changes, pushP50, pushP99, pullP99, violated, rest }: Round): void {
  const ms = (value: number): string => value.toFixed(1);
  console.log(
    `${at.toFixed(0).padStart(5)} s  round ${String(number)}: ${String(changes)} changes, push p50 ${ms(pushP50)} p99 ${ms(pushP99)} ms, ` +
      `pull p99 ${ms(pullP99)} ms; at rest ${(rest.rss / (1 << 20)).toFixed(1)} MB, ${String(rest.descriptors)} descriptors, ` +
      `${String(rest.cursors)} cursors (${String(rest.pinnedCursors)} pinned), ${String(rest.connections)} connections, ` +
      `${String(rest.openTransactions)} open transactions, ${String(rest.logEntries)} log entries` +
      (violated.length > 0 ? `; VIOLATED ${violated.join(', ')}` : ''),
  );
}

void main();
