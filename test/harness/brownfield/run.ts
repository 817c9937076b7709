/**
 * A team with data and services that write adds sync, without a change of its services: they go on by plain Mongoose, `adopt`
 * and capture take everything in, devices load and edit. In the end devices, logs, full resyncs and the collection have to
 * agree, with what the services themselves know of their writes. Then the same again, and the capturing process is killed
 * all the time. Ends with 1 when something is missing, doubled or elsewhere.
 *
 * `npm run check:brownfield -- [--documents 100000] [--scopes 200] [--seconds 60] [--seed n] [--no-log] [--json file]`
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedMongo } from '../../../libs/embedded-mongo/src';
import { withDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';
import { freePort } from '../../support/mongod-process';
import { ServerProcess } from '../faults/server-process';
import { checkRound, type Checked } from './check';

const ROUNDS = {
  undisturbed: { processes: 1 },
  'capturing process killed every 10 s': { processes: 2, killEveryMs: 10_000, killAdoptMs: 4_000 },
} as const;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      documents: { type: 'string', default: '100000' },
      scopes: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000_000)) },
      'no-log': { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const [documents, scopes, seed] = [Number(values.documents), Number(values.scopes), Number(values.seed)];
  const folder = mkdtempSync(join(tmpdir(), 'nos-brownfield-'));
  const mongo = await startEmbeddedMongo();
  const secret = randomBytes(32).toString('hex');
  const servers: ServerProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close()));
    await mongo.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stop().finally(() => process.exit(1)));
  console.log(`Seed ${String(seed)}`);
  const results: Record<string, Checked> = {};
  try {
    for (const [at, [name, { processes, ...kills }]] of Object.entries(ROUNDS).entries()) {
      console.log(`\n${name}`);
      const own = join(folder, String(at));
      mkdirSync(own);
      const uri = withDatabase(mongo.uri, `brownfield${String(at)}`);
      const apps: ServerProcess[] = [];
      for (let n = 0; n < processes; n += 1)
        apps.push(
          await ServerProcess.create({
            ...{ name: `app${String(at)}${String(n)}`, port: await freePort(), mongoUri: uri, secret },
            ...{ folder: own, program: join(__dirname, 'app.ts') },
          }),
        );
      servers.push(...apps);
      const result = await checkRound({
        ...{ uri, apps, seed: seed + at, folder: own, documents, scopes, services: 2, ...kills },
        ...{ lengthMs: Number(values.seconds) * 1000, servicePaceMs: 2, devicePaceMs: 300, calmMs: 180_000 },
        log: !values['no-log'],
        token: (business, user) =>
          testToken({
            payload: { user_id: user, business_id: business, exp: inSeconds(24 * 3600) },
            key: secret,
          }),
        say: (what) => console.log(`  ${what} (load ${(loadavg()[0] ?? 0).toFixed(1)})`),
      });
      results[name] = result;
      console.log(JSON.stringify(result.figures, null, 2));
      for (const finding of result.findings.slice(0, 40)) console.log(`FAILED ${finding}`);
    }
    const failed = Object.values(results).filter(({ findings }) => findings.length > 0).length;
    const found = Object.values(results).reduce((sum, { findings }) => sum + findings.length, 0);
    console.log(`\n${Object.keys(results).length - failed} passed, ${failed} failed (${found} findings)`);
    if (values.json !== undefined)
      writeFileSync(values.json, JSON.stringify({ seed, documents, scopes, results }, null, 2));
    process.exitCode = failed === 0 ? 0 : 1;
  } finally {
    await stop();
  }
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
