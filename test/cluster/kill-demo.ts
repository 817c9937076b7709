/**
 * Kills the whole demo (the process that hosts the embedded database, with kill -9) in the middle of pushes, starts it
 * again on the same data, sends every unanswered mutation again, and compares log, full resync and what was answered.
 *
 * `npm run build && npm run check:kill -- [rounds, default 3]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDemo } from '../support/demo-process';
import { Device } from './client';

const CLIENTS = 8;
const BATCH = 20;
const rounds = Number(process.argv[2] ?? 3);

interface Sent {
  readonly client: string;
  readonly changes: readonly object[];
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sync-kill-'));
  const start = () => startDemo({ PORT: '18085', WORKERS: '2', DATA_DIR: folder });
  const problems: string[] = [];
  const versions = new Map<string, string>();
  let replayed = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const demo = await start();
      const device = await Device.open(demo.url, 'kill', 'u');
      const unanswered: Sent[] = [];
      let alive = true;
      const writers = Array.from({ length: CLIENTS }, async (_, index) => {
        const client = `r${String(round)}c${String(index)}`;
        for (let n = 0; alive; n++) {
          const changes = batchOf(client, n);
          try {
            const { status, results } = await device.push(client, changes);
            if (status !== 200) throw new Error(String(status));
            note(client, n, results);
          } catch {
            unanswered.push({ client, changes });
            return;
          }
        }
      });
      await new Promise((resolve) => setTimeout(resolve, 2000 + Math.random() * 500));
      const ended = demo.end('SIGKILL');
      await Promise.all(writers);
      alive = false;
      await ended;

      const again = await start();
      for (const { client, changes } of unanswered) {
        const { status, results } = await (await Device.open(again.url, 'kill', 'u')).push(client, changes);
        if (status !== 200) problems.push(`a retried push was answered ${String(status)}`);
        const first = (changes[0] as { doc_id: string }).doc_id;
        note(client, Number(first.split('-')[1]), results);
        const known = results.filter((result) => result.replayed).length;
        if (known !== 0 && known !== BATCH)
          problems.push(`a batch was half written: ${String(known)} of ${String(BATCH)}`);
        replayed += known;
      }
      await compare(again.url);
      await again.end('SIGTERM');
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(
    `${problems.length === 0 ? 'ok  ' : 'FAIL'} ${String(rounds)} kills: ${String(versions.size)} changes answered, ${String(replayed)} of them only at the retry`,
  );
  for (const problem of problems.slice(0, 10)) console.log(`     ${problem}`);
  process.exitCode = problems.length === 0 ? 0 : 1;

  function note(client: string, n: number, results: readonly { new_version: string | null }[]): void {
    for (const [k, { new_version: version }] of results.entries()) {
      const id = `${client}-${String(n)}-${String(k)}`;
      if (version === null) problems.push(`${id} was rejected`);
      else versions.set(id, version);
    }
  }

  /** Every answered change stands once in the log, under its version, and in the full resync; nothing else does. */
  async function compare(url: string): Promise<void> {
    const device = await Device.open(url, 'kill', 'u');
    const logged = new Map<string, string>();
    let since: string | undefined;
    for (;;) {
      const page = await device.pull(since);
      for (const { doc_id, version } of page.changes) {
        if (logged.has(doc_id)) problems.push(`${doc_id} stands twice in the log`);
        logged.set(doc_id, version);
      }
      since = page.last_seq;
      if (!page.has_more) break;
    }
    const full = await device.full();
    for (const [id, version] of versions) {
      if (logged.get(id) !== version)
        problems.push(`${id}: answered ${version}, logged ${String(logged.get(id))}`);
      if (!full.has(`notes/${id}`)) problems.push(`${id} is missing in the full resync`);
    }
    if (logged.size !== versions.size || full.size !== versions.size)
      problems.push(
        `${String(versions.size)} answered, ${String(logged.size)} logged, ${String(full.size)} stored`,
      );
  }
}

function batchOf(client: string, n: number): object[] {
  return Array.from({ length: BATCH }, (_, k) => ({
    collection: 'notes',
    operation: 'upsert',
    doc_id: `${client}-${String(n)}-${String(k)}`,
    data: { n, k },
    mutation_id: `${String(n)}-${String(k)}`,
  }));
}

void main();
