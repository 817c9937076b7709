/**
 * Rough figures of one server process over HTTP and WebSocket, on the built demo with its own database. For
 * orientation: the server, the database and this load share the machine's cores.
 *
 * `npm run build && npm run figures`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDemo } from '../support/demo-process';
import { Device } from './client';

const SECONDS = 5;

interface Row {
  readonly name: string;
  readonly perSecond: number;
  readonly latencies: number[];
  readonly failures: number;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sync-figures-'));
  const demo = await startDemo({ PORT: '18090', DATA_DIR: folder });
  try {
    const push = async (clients: number, batch: number, oneScope: boolean): Promise<void> => {
      const scopes = oneScope ? 'one scope' : 'own scopes';
      print(
        await pushes(
          demo.url,
          `push x${String(batch)}, ${String(clients)} client(s), ${scopes}`,
          clients,
          batch,
          oneScope,
        ),
      );
    };
    await pushes(demo.url, 'warm-up', 4, 100, false);
    await push(1, 1, true);
    await push(16, 1, false);
    await push(64, 1, false);
    await push(16, 1, true);
    await push(128, 1, true);
    await push(1, 100, true);
    await push(4, 100, false);
    await push(1, 1000, true);
    await reads(demo.url);
    for (const subscribers of [8, 12, 200]) print(await stream(demo.url, subscribers));
  } finally {
    await demo.end('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
}

function note(client: string, n: number, k: number): object {
  return {
    collection: 'notes',
    operation: 'upsert',
    doc_id: `${client}-${String(n)}-${String(k)}`,
    data: { title: `note ${String(k)}`, done: false, note: 'x'.repeat(60), qty: k },
    mutation_id: `${String(n)}-${String(k)}`,
  };
}

async function pushes(
  url: string,
  name: string,
  clients: number,
  batch: number,
  oneScope: boolean,
): Promise<Row> {
  const latencies: number[] = [];
  let failures = 0;
  let accepted = 0;
  const run = `f${String(Date.now())}`;
  const devices = await Promise.all(
    Array.from({ length: clients }, (_, index) =>
      Device.open(url, `${run}-${oneScope ? 'one' : String(index)}`, 'u'),
    ),
  );
  const until = performance.now() + SECONDS * 1000;
  await Promise.all(
    devices.map(async (device, index) => {
      const client = `c${String(index)}`;
      for (let n = 0; performance.now() < until; n++) {
        const changes = Array.from({ length: batch }, (_, k) => note(client, n, k));
        const started = performance.now();
        const { status, results } = await device.push(client, changes);
        latencies.push(performance.now() - started);
        const taken = results.filter((result) => result.status === 'accepted').length;
        if (status !== 200 || taken !== batch) failures++;
        accepted += taken;
      }
    }),
  );
  return { name, perSecond: accepted / SECONDS, latencies, failures };
}

async function reads(url: string): Promise<void> {
  const rows = 20_000;
  const device = await Device.open(url, `reads-${String(Date.now())}`, 'u');
  for (let n = 0; n < rows / 1000; n++)
    await device.push(
      'c',
      Array.from({ length: 1000 }, (_, k) => note('c', n, k)),
    );
  for (const clients of [1, 4]) {
    const latencies: number[] = [];
    let seen = 0;
    const started = performance.now();
    await Promise.all(
      Array.from({ length: clients }, async () => {
        for (let round = 0; round < 3; round++) {
          let since: string | undefined;
          for (;;) {
            const asked = performance.now();
            const page = await device.pull(since);
            latencies.push(performance.now() - asked);
            seen += page.changes.length;
            since = page.last_seq;
            if (!page.has_more) break;
          }
        }
      }),
    );
    const failures = seen === rows * 3 * clients ? 0 : 1;
    print({
      name: `pull, pages of 1000, ${String(clients)} client(s)`,
      perSecond: seen / ((performance.now() - started) / 1000),
      latencies,
      failures,
    });
  }
  for (const encoding of ['identity', 'gzip']) {
    const started = performance.now();
    const response = await fetch(`${url}/sync/full?limit=0`, {
      headers: { authorization: `Bearer ${device.token}`, 'accept-encoding': encoding },
    });
    let first = 0;
    let lines = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      first ||= performance.now() - started;
      lines += Buffer.from(chunk).toString('latin1').split('\n').length - 1;
    }
    const seconds = (performance.now() - started) / 1000;
    print({
      name: `full, 20,000 rows, ${encoding}; latency: first byte`,
      perSecond: lines / seconds,
      latencies: [first],
      failures: lines === rows ? 0 : 1,
    });
  }
}

async function stream(url: string, subscribers: number): Promise<Row> {
  const device = await Device.open(url, `stream-${String(Date.now())}`, 'u');
  const latencies: number[] = [];
  const sentAt = new Map<string, number>();
  let seen = 0;
  let done: () => void = () => undefined;
  const writes = 50 * SECONDS;
  const everything = new Promise<void>((resolve) => (done = resolve));
  const sockets = Array.from({ length: subscribers }, () =>
    device.listen((change, at) => {
      latencies.push(at - (sentAt.get(change.doc_id) ?? at));
      if (++seen === (writes + 1) * subscribers) done();
    }),
  );
  // All are live once each has seen the first change.
  await device.push('c', [note('c', -1, 0)]);
  while (seen < subscribers) await new Promise((resolve) => setTimeout(resolve, 10));
  latencies.length = 0;
  const started = performance.now();
  for (let n = 0; n < writes; n++) {
    const due = started + n * 20;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    sentAt.set(`c-${String(n)}-0`, performance.now());
    await device.push('c', [note('c', n, 0)]);
  }
  await Promise.race([everything, new Promise((resolve) => setTimeout(resolve, 10_000))]);
  for (const socket of sockets) socket.close();
  const failures = seen === (writes + 1) * subscribers ? 0 : 1;
  const seconds = (performance.now() - started) / 1000;
  return {
    name: `stream, ${String(subscribers)} subscribers; latency: push sent to received`,
    perSecond: seen / seconds,
    latencies,
    failures,
  };
}

function print({ name, perSecond, latencies, failures }: Row): void {
  latencies.sort((a, b) => a - b);
  const at = (share: number): string =>
    (latencies[Math.floor((latencies.length - 1) * share)] ?? 0).toFixed(1);
  console.log(
    `${name}: ${perSecond.toFixed(0)}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, failures ${String(failures)}`,
  );
}

void main();
