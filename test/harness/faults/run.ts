/**
 * Random faults on a real replica set of three members with several server processes, under a workload that an independent
 * oracle judges. Ends with 1 when an invariant was violated, a fault could not be done, or writes did not flow again
 * in time after a new primary.
 *
 * `npm run check:faults -- [--minutes 20] [--seed n] [--servers 3] [--only kind,kind] [--json file] [--logs folder]`
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { renderVerdict } from '../../../libs/conformance/src/report/render-verdict';
import { check } from './check';
import { FaultCluster } from './cluster';
import { missedGoals, renderFigures } from './render-figures';
import { FAULT_KINDS, schedule, type FaultKind } from './schedule';

/** Few enough that the history of twenty minutes fits into memory, and that two cores have time for the rest. */
const WRITER_PAUSE_MS = 150;
const PROGRESS_EVERY_MS = 10_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000_000)) },
      servers: { type: 'string', default: '3' },
      only: { type: 'string' },
      json: { type: 'string' },
      logs: { type: 'string' },
    },
  });
  const [minutes, seed, servers] = [Number(values.minutes), Number(values.seed), Number(values.servers)];
  const lengthMs = minutes * 60_000;
  const only = values.only?.split(',');
  console.log(`Seed ${String(seed)}, ${String(minutes)} min, ${String(servers)} servers`);

  const cluster = await FaultCluster.start({ servers, smallDisk: true });
  // Without this an interrupted run would leave its servers, and a mounted file system.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void cluster.stop().finally(() => process.exit(1)));
  try {
    const without: FaultKind[] = FAULT_KINDS.filter(
      (kind) => (only && !only.includes(kind)) || (kind === 'disk-full' && !cluster.disk),
    );
    if (!cluster.disk) console.log('No disk-full: it takes the right to mount a file system.');
    const faults = schedule({ seed, lengthMs, servers, without });
    let done = 0;
    let shown = 0;
    const { verdict, figures, conducted } = await check(cluster, {
      ...{ seed, lengthMs, faults },
      workload: { writerPauseMs: WRITER_PAUSE_MS },
      onFault: ({ kind }) => {
        done += 1;
        if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${kind}`);
      },
      onProgress: ({ phase, elapsedMs, pushes, changes, unanswered, seen }) => {
        if (performance.now() - shown < PROGRESS_EVERY_MS && phase !== 'done') return;
        shown = performance.now();
        const [load = 0] = loadavg();
        console.log(
          `${process.stdout.isTTY ? '\r\x1b[K' : ''}${(elapsedMs / 1000).toFixed(0).padStart(5)} s ${phase}: ${String(done)} of ${String(faults.length)} faults, ` +
            `${String(pushes)} pushes, ${String(changes)} changes, ${String(unanswered)} without an answer, ${String(seen)} entries read, load ${load.toFixed(1)}`,
        );
      },
    });
    const missed = missedGoals(figures);
    console.log(`\n${renderVerdict(verdict)}\n${renderFigures(figures)}`);
    for (const skip of conducted.skipped) console.log(`Left out: ${skip}`);
    for (const failure of conducted.failures) console.log(`FAILED ${failure}`);
    if (missed.length > 0)
      console.log(`FAILED: after ${String(missed.length)} new primaries writes did not flow in time`);
    if (values.json !== undefined)
      writeFileSync(
        values.json,
        JSON.stringify({ seed, minutes, servers, figures, conducted, verdict }, null, 2),
      );
    const good = verdict.held && missed.length === 0 && conducted.failures.length === 0;
    if (!good)
      console.log(
        `Again: npm run check:faults -- --minutes ${values.minutes} --seed ${String(seed)} --servers ${values.servers}`,
      );
    process.exitCode = good ? 0 : 1;
  } finally {
    if (values.logs !== undefined) {
      mkdirSync(values.logs, { recursive: true });
      for (const { settings } of cluster.servers)
        cpSync(`${cluster.folder}/${settings.name}.log`, `${values.logs}/${settings.name}.log`);
    }
    await cluster.stop();
  }
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
