/**
 * Requests made from the OpenAPI document that the demo serves, sent by schemathesis (PyPI) as tenant B, while tenant A
 * has data. Nothing may fail with a server error or answer otherwise than the document says; afterwards A's data is
 * what it was, and no secret of A's is in the recorded traffic.
 *
 * `npm run check:schema -- [examples an operation, default 100]`
 *
 * Needs python3 with venv and pip; `SCHEMATHESIS=<path of an installed st>` spares the installation.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mongoose from 'mongoose';
import { startEmbeddedMongo } from '../../../libs/embedded-mongo/src';
import { demoClient } from '../../support/demo-client';
import { startDemo } from '../../support/demo-process';
import { databaseHash } from '../../support/http-app';
import { secretsIn } from './leaks';

const VERSION = '4.32.5';
/**
 * Not asked: `positive_data_acceptance` and `negative_data_rejection`, since whether a cursor or a collection exists is
 * not a matter of form, and a push answers 200 whatever became of each change; `unsupported_method`, since Express answers 404
 * where that wants 405.
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'ignored_auth',
];
const examples = Number(process.argv[2] ?? 100);

interface Har {
  readonly log: {
    readonly entries: readonly {
      readonly request: { readonly method: string; readonly url: string };
      readonly response: { readonly status: number };
    }[];
  };
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sync-schema-'));
  const mongo = await startEmbeddedMongo();
  const client = new mongoose.mongo.MongoClient(mongo.uri);
  try {
    const st = process.env['SCHEMATHESIS'] ?? (await install(folder));
    const demo = await startDemo({ MONGODB_URI: mongo.uri, MONGODB_DATABASE: 'schema' }, 'source');
    const failures: string[] = [];
    try {
      const secrets = Array.from({ length: 24 }, () => randomBytes(12).toString('hex'));
      const scope = secrets[0]!;
      await seed(demo.url, secrets);
      const db = client.db('schema');
      const hash = (): Promise<string> =>
        databaseHash(db, {
          $or: [{ _sync_scope_id: scope }, { scope }, { _id: scope as never }, { '_id.scope': scope }],
        });
      const before = await hash();
      const { token } = await demoClient(demo.url, 'bob', 'tenant-b');
      const code = await run(st, demo.url, token, folder);
      if (code !== 0) failures.push(`schemathesis found failures (exit code ${String(code)}), see above`);
      const recorded = readdirSync(folder).find((name) => name.startsWith('har-'));
      const har = recorded === undefined ? undefined : readFileSync(join(folder, recorded));
      if (!har) failures.push('there is no record of the traffic');
      else {
        const found = secretsIn(har, secrets);
        if (found.length > 0) failures.push(`the traffic holds ${String(found.length)} secrets of A`);
        count(JSON.parse(har.toString()) as Har);
      }
      if ((await hash()) !== before) failures.push('the data of A has changed');
    } finally {
      const ended = await demo.end('SIGTERM');
      if (ended !== 0) failures.push(`the demo ended with ${String(ended)}`);
    }
    console.log(
      failures.length === 0 ? 'No failure, no secret, A unchanged.' : `FAILED: ${failures.join('; ')}`,
    );
    process.exitCode = failures.length === 0 ? 0 : 1;
  } finally {
    await client.close();
    await mongo.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns the path of the program */
async function install(folder: string): Promise<string> {
  const venv = join(folder, 'venv');
  console.log(`Installing schemathesis ${VERSION} into a temporary folder …`);
  await promisify(execFile)('python3', ['-m', 'venv', venv]);
  await promisify(execFile)(join(venv, 'bin/pip'), ['install', '-q', `schemathesis==${VERSION}`]);
  return join(venv, 'bin/st');
}

/** Tenant A: documents, tombstones, receipts, a conflict, with a secret in every place. */
async function seed(url: string, secrets: readonly string[]): Promise<void> {
  const [scope = '', actor = '', ...texts] = secrets;
  const alice = await demoClient(url, actor, scope);
  let at = 0;
  const next = (): string => texts[at++ % texts.length]!;
  const change = (collection: string, operation: string, doc_id: string, data?: object): object => ({
    collection,
    operation,
    doc_id,
    data,
    mutation_id: `${next()}-${String(at)}`,
  });
  for (let n = 0; n < 3; n++) {
    const customer = randomUUID();
    const results = await alice.push(
      change('tasks', 'upsert', `task-${next()}`, { title: next(), tags: [next()] }),
      change('notes', 'upsert', next(), { text: next(), [next()]: { deep: next() } }),
      change('notes', 'upsert', `gone-${String(n)}`, { text: next() }),
      change('notes', 'delete', `gone-${String(n)}`),
      change('customers', 'upsert', customer, { name: next() }),
    );
    const refused = results.find(({ status }) => status === 'rejected');
    if (refused) throw new Error(`The seed was refused: ${String(refused.code)} ${String(refused.error)}`);
  }
}

/** @returns its exit code; what it prints is passed on */
function run(st: string, url: string, token: string, folder: string): Promise<number> {
  const child = spawn(
    st,
    [
      'run',
      `${url}/docs-json`,
      ...['--header', `Authorization: Bearer ${token}`],
      ...['--checks', CHECKS.join(',')],
      ...['--max-examples', String(examples)],
      ...['--phases', 'examples,coverage,fuzzing'],
      '--continue-on-failure',
      // Whatever it generates: a slow machine is not a failure.
      ...['--suppress-health-check', 'all', '--request-timeout', '30'],
      ...['--output-sanitize', 'false', '--report', 'har', '--report-dir', folder],
    ],
    { cwd: folder, stdio: 'inherit', env: { ...process.env, NO_COLOR: '1' } },
  );
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

function count({ log }: Har): void {
  const statuses = new Map<string, number>();
  for (const { request, response } of log.entries) {
    const key = `${request.method} ${new URL(request.url).pathname} ${String(response.status)}`;
    // Methods that the document does not name are all the same.
    const shown = response.status === 404 ? 'any other 404' : key;
    statuses.set(shown, (statuses.get(shown) ?? 0) + 1);
  }
  for (const [key, times] of [...statuses].sort()) console.log(`${String(times).padStart(6)}  ${key}`);
  console.log(`${String(log.entries.length).padStart(6)}  requests`);
}

void main();
