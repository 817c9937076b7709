/**
 * Two browsers and a process of Node edit the same documents at random, against the demo's server, while connections, tabs,
 * browsers, processes and the server break and users come and go. Ends with 1 when a device lost, doubled or mixed something.
 *
 * `npm run check:devices -- [--minutes 10] [--seed n] [--json file]`
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedMongo } from '../../../libs/embedded-mongo/src';
import { withDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';
import { freePort } from '../../support/mongod-process';
import { ServerProcess } from '../faults/server-process';
import { checkDevices } from './check';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000_000)) },
      json: { type: 'string' },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  console.log(`Seed ${String(seed)}, ${String(minutes)} min`);
  const folder = mkdtempSync(join(tmpdir(), 'nos-devices-'));
  const mongo = await startEmbeddedMongo();
  const secret = randomBytes(32).toString('hex');
  const server = await ServerProcess.create({
    ...{ name: 'server', port: await freePort(), secret, folder },
    mongoUri: withDatabase(mongo.uri, 'devices'),
    variables: { SYNC_PING_INTERVAL_MS: '2000' },
  });
  const stop = async (): Promise<void> => {
    await server.close();
    await mongo.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stop().finally(() => process.exit(1)));
  try {
    await server.start();
    const began = performance.now();
    const { figures, findings } = await checkDevices({
      ...{ seed, server, folder, lengthMs: minutes * 60_000, roundMs: 45_000, paceMs: 400 },
      ...{ restarts: true, calmMs: 120_000 },
      token: (business, user) =>
        testToken({
          payload: { user_id: user, business_id: business, exp: inSeconds(24 * 3600) },
          key: secret,
        }),
      onRound: (round, { kept, unclear, judged, longestCalmMs }) => {
        const edits = Object.values(kept).reduce((sum, count) => sum + count, 0);
        const [load = 0] = loadavg();
        console.log(
          `${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s: round ${String(round)}, ${String(edits)} edits, ` +
            `${String(unclear)} unclear, ${String(judged)} facts of the wire, at rest after at most ${(longestCalmMs / 1000).toFixed(1)} s, load ${load.toFixed(1)}`,
        );
      },
    });
    console.log(JSON.stringify(figures, null, 2));
    for (const finding of findings.slice(0, 40)) console.log(`FAILED ${finding}`);
    if (values.json !== undefined)
      writeFileSync(values.json, JSON.stringify({ seed, minutes, figures, findings }, null, 2));
    process.exitCode = findings.length === 0 ? 0 : 1;
    if (findings.length > 0)
      console.log(`Again: npm run check:devices -- --minutes ${values.minutes} --seed ${String(seed)}`);
  } finally {
    await stop();
  }
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
