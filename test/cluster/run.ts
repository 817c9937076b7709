/**
 * The demo with several worker processes under load, watched from outside: writers, pulling readers and stream
 * subscribers over the public wire. Every accepted version must be seen exactly once and in order by each reader, and
 * the folded log, the full resync and the database must agree. Prints a line a case, ends with 1 when one failed.
 *
 * `npm run build && npm run check:cluster -- [seconds a case, default 30] [workers, default 4]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDemo, type DemoProcess } from '../support/demo-process';
import { Device } from './client';
import { Witness } from './witness';

const WRITERS = 16;
const READERS = 4;
const seconds = Number(process.argv[2] ?? 30);
const workers = process.argv[3] ?? '4';
const scopeCounts = (process.argv[4] ?? '1,16').split(',').map(Number);
const batches = (process.argv[5] ?? '1,100').split(',').map(Number);

interface Tally {
  readonly statuses: Map<string, number>;
  accepted: number;
  rejected: number;
  replayed: number;
  readonly latencies: number[];
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sync-cluster-'));
  const demo = await startDemo({ PORT: '18080', WORKERS: workers, DATA_DIR: folder });
  let failed = false;
  try {
    for (const scopes of scopeCounts)
      for (const batch of batches) failed = (await runCase(demo, { scopes, batch, kill: false })) || failed;
    if (workers !== '1') failed = (await runCase(demo, { scopes: 1, batch: 10, kill: true })) || failed;
  } finally {
    await demo.end('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
  process.exitCode = failed ? 1 : 0;
}

/** @returns whether the case failed */
async function runCase(
  demo: DemoProcess,
  options: { scopes: number; batch: number; kill: boolean },
): Promise<boolean> {
  const { scopes, batch, kill } = options;
  const name = `${String(scopes)} scope(s), batches of ${String(batch)}${kill ? ', a worker killed' : ''}`;
  const prefix = `c${String(Date.now())}-`;
  const scopeOf = (index: number): string => `${prefix}${String(index % scopes)}`;
  const witness = new Witness();
  const readers: { close(): void }[] = [];
  for (let index = 0; index < READERS; index++) {
    const device = await Device.open(demo.url, scopeOf(index), `reader${String(index)}`);
    readers.push(
      device.listen((change, at) => {
        witness.saw(`stream ${String(index)}`, device.scope, change, at);
      }),
    );
    readers.push(pullUntilClosed(device, `pull ${String(index)}`, witness));
  }

  const tally: Tally = { statuses: new Map(), accepted: 0, rejected: 0, replayed: 0, latencies: [] };
  const until = performance.now() + seconds * 1000;
  const writers = Array.from({ length: WRITERS }, (_, index) =>
    write(demo.url, scopeOf(index), index, batch, until, tally, witness),
  );
  if (kill) {
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / 4));
      const pid = demo.pids[round % demo.pids.length];
      if (pid !== undefined)
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          /* it was killed before */
        }
    }
  }
  await Promise.all(writers);
  await witness.settled(READERS, scopes, scopeOf, 20_000);
  for (const reader of readers) reader.close();

  const problems = witness.problems(READERS, scopeOf);
  for (let index = 0; index < scopes; index++) {
    const device = await Device.open(demo.url, scopeOf(index), 'checker');
    const folded = await fold(device);
    const full = await device.full();
    if (!sameMaps(folded, full))
      problems.push(
        `scope ${String(index)}: the folded log (${String(folded.size)}) and the full resync (${String(full.size)}) differ`,
      );
  }
  const bad = [...tally.statuses].filter(([status]) => status !== '200' && !(kill && status === 'reset'));
  if (bad.length > 0)
    problems.push(`answers: ${bad.map(([status, count]) => `${String(count)} x ${status}`).join(', ')}`);
  if (tally.rejected > 0) problems.push(`${String(tally.rejected)} changes were rejected`);
  tally.latencies.sort((a, b) => a - b);
  const at = (share: number): string =>
    (tally.latencies[Math.floor(tally.latencies.length * share)] ?? 0).toFixed(0);
  console.log(
    `${problems.length === 0 ? 'ok  ' : 'FAIL'} ${name}: ${String(tally.accepted)} changes, ${(tally.accepted / seconds).toFixed(0)}/s, push p50 ${at(0.5)} ms p99 ${at(0.99)} ms max ${at(0.99999)} ms, replayed ${String(tally.replayed)}, resets ${String(tally.statuses.get('reset') ?? 0)}, stream lag p50 ${witness.lag(0.5)} ms p99 ${witness.lag(0.99)} ms`,
  );
  for (const problem of problems.slice(0, 10)) console.log(`     ${problem}`);
  return problems.length > 0;
}

async function write(
  url: string,
  scope: string,
  index: number,
  batch: number,
  until: number,
  tally: Tally,
  witness: Witness,
): Promise<void> {
  const device = await Device.open(url, scope, `writer${String(index)}`);
  const client = `client${String(index)}`;
  const docId = (n: number, k: number): string => `w${String(index)}-${String((n * batch + k) % 500)}`;
  const known = new Map<string, string>();
  for (let n = 0; performance.now() < until; n++) {
    const changes = Array.from({ length: batch }, (_, k) => ({
      collection: 'notes',
      operation: n % 10 === 9 ? 'delete' : 'upsert',
      doc_id: docId(n, k),
      data:
        n % 10 === 9
          ? undefined
          : { n, k, text: 'sixty characters of text, more or less, as a real note has it' },
      mutation_id: `${String(n)}-${String(k)}`,
      parent_version: known.get(docId(n, k)) ?? null,
    }));
    const started = performance.now();
    const answer = await untilAnswered(device, client, changes, tally);
    tally.latencies.push(performance.now() - started);
    for (const [k, result] of answer.entries()) {
      if (result.new_version !== null) known.set(docId(n, k), result.new_version);
      if (result.status === 'rejected' || result.new_version === null) tally.rejected++;
      else {
        tally.accepted++;
        if (result.replayed) tally.replayed++;
        witness.accepted(scope, result.new_version, performance.now());
      }
    }
  }
}

async function untilAnswered(
  device: Device,
  client: string,
  changes: readonly object[],
  tally: Tally,
): ReturnType<Device['push']> extends Promise<infer R extends { results: unknown }>
  ? Promise<R['results']>
  : never {
  for (;;) {
    try {
      const { status, results } = await device.push(client, changes);
      tally.statuses.set(String(status), (tally.statuses.get(String(status)) ?? 0) + 1);
      if (status === 200) return results;
    } catch {
      tally.statuses.set('reset', (tally.statuses.get('reset') ?? 0) + 1);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function pullUntilClosed(device: Device, name: string, witness: Witness): { close(): void } {
  let open = true;
  void (async () => {
    let since: string | undefined;
    while (open) {
      try {
        const page = await device.pull(since);
        if (page.status !== 200) throw new Error(String(page.status));
        for (const change of page.changes) witness.saw(name, device.scope, change, performance.now());
        since = page.last_seq;
        if (page.changes.length > 0) continue;
      } catch {
        // A worker went away: again.
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return { close: () => (open = false) };
}

async function fold(device: Device): Promise<Map<string, string>> {
  const documents = new Map<string, string>();
  let since: string | undefined;
  for (;;) {
    const page = await device.pull(since);
    for (const { collection, doc_id, operation, data } of page.changes) {
      if (operation === 'delete') documents.delete(`${collection}/${doc_id}`);
      else documents.set(`${collection}/${doc_id}`, JSON.stringify(data));
    }
    since = page.last_seq;
    if (!page.has_more) return documents;
  }
}

function sameMaps(a: Map<string, string>, b: Map<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

void main();
