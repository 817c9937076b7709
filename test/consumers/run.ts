/**
 * Fresh apps that use the packages as their teams would: `npm run check:consumers -- [--only nest11,vite] [--keep]`.
 *
 * Packs the packages, and for each app of {@link file://./consumer.ts}: copies its folder out of the workspace, writes the
 * code of the documentation into it, installs from the registry, type-checks, runs its tests, starts it, pushes, pulls and
 * streams, and asks it to end: it must do so by itself; these apps side by side, since they mostly wait for the registry. Then the
 * client is bundled and run: {@link file://./client.ts}. Downloads are shared by npm's cache.
 * Ends with a table, `N passed, N failed`, and 1 when something failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startEmbeddedMongo } from '../../libs/embedded-mongo/src';
import { packAll } from '../../tools/packages';
import { withDatabase } from '../support/database';
import { MarkdownFile, PAGES_WITH_CODE } from '../support/markdown';
import { checkClient, CLIENT_CONSUMERS } from './client';
import { command, copyPackages, plainEnvironment, tail } from './command';
import { CONSUMERS, type Consumer } from './consumer';
import { SECRET, visit } from './visit';

const ROOT = join(__dirname, '../..');
const START_LIMIT_MS = 30_000;
/** How long an app may take to end by itself, in milliseconds: after that, something holds it open. */
const END_LIMIT_MS = 15_000;
const PNPM = 'pnpm@10.34.8';
/** The packages that an app installs: the names in README.md. */
const NAMES = ['nest-offline-sync', 'nest-offline-sync-protocol', 'nest-offline-sync-conformance'];

const blocks = PAGES_WITH_CODE.flatMap((path) => new MarkdownFile(join(ROOT, path)).blocks);

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, keep: { type: 'boolean' } } });
  const all = [...CONSUMERS, ...CLIENT_CONSUMERS];
  const names = values.only?.split(',') ?? all.map(({ name }) => name);
  const unknown = names.filter((name) => !all.some((consumer) => consumer.name === name));
  if (unknown.length > 0)
    throw new Error(
      `No consumer ${unknown.join(', ')}. There are: ${all.map(({ name }) => name).join(', ')}.`,
    );
  const folder = mkdtempSync(join(tmpdir(), 'consumers-'));
  const rows: { name: string; what: string; seconds: number; failure: string | undefined }[] = [];
  const row = async ({ name, what }: { name: string; what: string }, check: () => Promise<void>) => {
    const started = performance.now();
    process.stdout.write(`${name}: ${what}\n`);
    const failure = await check().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (failure !== undefined) process.stdout.write(`${failure}\n`);
    rows.push({ name, what, seconds: (performance.now() - started) / 1000, failure });
  };
  const apps = CONSUMERS.filter(({ name }) => names.includes(name));
  const given = process.env.MONGODB_URI;
  const mongo = given === undefined && apps.length > 0 ? await startEmbeddedMongo() : undefined;
  try {
    packAll();
    await Promise.all(apps.map((app) => row(app, () => check(app, folder, given ?? mongo?.uri ?? ''))));
    for (const client of CLIENT_CONSUMERS.filter(({ name }) => names.includes(name)))
      await row(client, () => checkClient(client, folder));
  } finally {
    await mongo?.stop();
    if (values.keep) process.stdout.write(`Kept: ${folder}\n`);
    else rmSync(folder, { recursive: true, force: true });
  }
  const failed = rows.filter(({ failure }) => failure !== undefined).length;
  process.stdout.write('\n');
  for (const { name, what, seconds, failure } of rows)
    process.stdout.write(
      `${failure === undefined ? 'passed' : 'FAILED'}  ${name.padEnd(9)} ${what.padEnd(40)} ${seconds.toFixed(0).padStart(4)} s\n`,
    );
  process.stdout.write(`${String(rows.length - failed)} passed, ${String(failed)} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function check(consumer: Consumer, folder: string, serverUri: string): Promise<void> {
  const app = join(folder, consumer.name);
  const environment = {
    MONGODB_URI: withDatabase(serverUri, `consumer_${consumer.name}_${String(process.pid)}`),
    JWT_SECRET: SECRET,
  };
  cpSync(join(__dirname, consumer.name), app, { recursive: true });
  mkdirSync(join(app, 'src'), { recursive: true });
  copyPackages(app, NAMES);
  for (const [name, as] of Object.entries(consumer.docs?.code ?? {}))
    writeFileSync(join(app, 'src', as), name === 'app.module.ts' ? appModule() : block('ts', `// ${name}\n`));
  const manager = consumer.manager === 'pnpm' ? `npx --yes ${PNPM}` : 'npm';
  await command(app, `${manager} install${consumer.manager === 'npm' ? ' --prefer-offline' : ''}`, {});
  const { install } = consumer.docs ?? {};
  if (install !== undefined) await command(app, block('sh', install), {});
  for (const script of ['typecheck', 'build', ...consumer.scripts])
    await command(app, `npm run ${script}`, environment);
  await live(consumer, app, environment);
}

/** Starts the app, visits it, and waits for it to end. */
async function live(consumer: Consumer, app: string, environment: Record<string, string>): Promise<void> {
  const port = await freePort();
  const url = `http://127.0.0.1:${String(port)}`;
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd: app,
    env: { ...plainEnvironment(), ...environment, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const out of [child.stdout, child.stderr]) out.on('data', (data: Buffer) => (said += data.toString()));
  const ended = once(child, 'exit');
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error('it ended');
      return fetch(`${url}/sync/pull`).then(
        ({ status }) => status === 401 || status === 403,
        () => false,
      );
    }, START_LIMIT_MS);
    if (consumer.docs) {
      const commands = block('sh', '# The first push').replaceAll('http://localhost:3000', url);
      const answer = await command(app, commands, environment);
      if (!answer.includes('"status":"accepted"') || !answer.includes('"last_seq"'))
        throw new Error(`The first push of README.md answers ${answer}`);
    }
    await visit(url, consumer);
    child.kill('SIGTERM');
    await Promise.race([ended, delay(END_LIMIT_MS, undefined, { ref: false })]);
    if (child.exitCode === null && child.signalCode === null)
      throw new Error('It does not end by itself: something is still open.');
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${tail(said)}`, {
      cause: error,
    });
  } finally {
    child.kill('SIGKILL');
  }
}

/** The module of README.md with the one that docs/own-writes.md tells to add. */
function appModule(): string {
  const written = block('ts', '// app.module.ts\n')
    .replace('\nimport { TasksModule }', "\nimport { OrdersModule } from './orders.module.js';$&")
    .replace('    TasksModule,\n', '$&    OrdersModule,\n');
  if (written.split('OrdersModule').length !== 3) throw new Error('app.module.ts of README.md has changed.');
  return written;
}

/** The block of the documentation that begins like this. */
function block(language: string, beginning: string): string {
  const found = blocks.find((one) => one.language === language && one.text.startsWith(beginning));
  if (!found) throw new Error(`No ${language} block of the documentation begins with ${beginning}`);
  return found.text;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function until(holds: () => Promise<boolean>, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline)
      throw new Error(`The app did not answer within ${String(limitMs / 1000)} s.`);
    await delay(100);
  }
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
