import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testDatabase } from '../../support/database';
import { demoClient } from '../../support/demo-client';
import { startDemo, type DemoProcess } from '../../support/demo-process';

const ROOT = join(__dirname, '../../..');
const running: DemoProcess[] = [];
let folder: string;

async function demo(variables: NodeJS.ProcessEnv): Promise<DemoProcess> {
  const started = await startDemo(variables);
  running.push(started);
  return started;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'demo-'));
  await build();
}, 120_000);
afterAll(() => {
  for (const { process } of running) process.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
});

describe('the demo with two workers', () => {
  it('loses nothing when a worker is killed, replaces it, and ends cleanly', async () => {
    const shop = await demo({ MONGODB_URI: testDatabase(__filename).uri, WORKERS: '2' });
    expect(shop.pids).toHaveLength(2);
    const client = await demoClient(shop.url, 'alice', 'kill-test');

    const [victim = 0] = shop.pids;
    const ids = Array.from({ length: 60 }, (_, index) => `task-${String(index)}`);
    for (const [index, doc_id] of ids.entries()) {
      if (index === 20) process.kill(victim, 'SIGKILL');
      await untilAnswered(() =>
        client.push({
          collection: 'tasks',
          operation: 'upsert',
          doc_id,
          data: { title: doc_id },
          mutation_id: doc_id,
        }),
      );
    }
    await shop.line(new RegExp(`Worker ${String(victim)} ended .SIGKILL.`));
    const { changes } = await client.pull('limit=1000');
    expect(changes.map(({ doc_id }) => doc_id)).toEqual(ids);

    // Of both workers together, also of the new one.
    await untilAnswered(async () => {
      const text = await (await fetch(`${shop.url}/metrics`)).text();
      if (!text.includes('sync_push_total')) throw new Error('no metrics');
    });

    // The tour's devices meet whichever worker takes their connection.
    expect(await tour(shop.url)).toEqual({
      code: 0,
      text: expect.stringContaining('Everything worked') as string,
    });
    expect(await shop.end('SIGTERM')).toBe(0);
    expect(await tour(shop.url)).toEqual({
      code: 1,
      text: expect.stringContaining('Start the demo in another terminal with "npm start"') as string,
    });
  }, 120_000);
});

describe('the demo on its embedded database', () => {
  it('finds its data again after kill -9, and lets no second demo onto the folder', async () => {
    const data = join(folder, 'data');
    const first = await demo({ DATA_DIR: data });
    const client = await demoClient(first.url, 'alice', 'corner-cafe');
    await client.push({ collection: 'tasks', operation: 'upsert', doc_id: 'kept', data: { title: 'Stay' } });
    const { last_seq, changes } = await client.pull('limit=1000');

    await expect(startDemo({ DATA_DIR: data })).rejects.toThrow('is already running');

    expect(await first.end('SIGKILL')).toBe('SIGKILL');
    const second = await demo({ DATA_DIR: data });
    const again = await demoClient(second.url, 'alice', 'corner-cafe');
    expect(await again.pull('limit=1000')).toMatchObject({ last_seq, changes });
    expect(await second.end('SIGINT')).toBe(0);
  }, 120_000);
});

describe('a demo that cannot start', () => {
  it('says which port is taken', async () => {
    const other = createServer().listen(0);
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const uri = testDatabase('demo-port').uri;
    try {
      for (const WORKERS of ['1', '2'])
        await expect(startDemo({ MONGODB_URI: uri, PORT: String(port), WORKERS })).rejects.toThrow(
          `Port ${String(port)} is taken`,
        );
    } finally {
      other.close();
    }
  }, 120_000);

  it('says which variable is wrong, also where only the library knows', async () => {
    await expect(startDemo({ PORT: 'http' })).rejects.toThrow('PORT must be a whole number');
    const uri = testDatabase('demo-wrong').uri;
    await expect(startDemo({ MONGODB_URI: uri, SYNC_LANES: '1000' })).rejects.toThrow(
      /\nSYNC_LANES: SyncModule: option lanes must be/,
    );
    await expect(startDemo({ NODE_ENV: 'production' })).rejects.toThrow('JWT_SECRET is missing');
  }, 120_000);
});

/** A killed worker takes its connections along: clients try again. */
async function untilAnswered<T>(work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

async function tour(url: string): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(ROOT, 'dist/apps/demo/src/tour/main.js'), url],
      (error, stdout, stderr) => {
        resolve({ code: Number(error?.code ?? 0), text: stdout + stderr });
      },
    );
  });
}

/** Type errors are another step's: they don't keep the compiler from writing. */
async function build(): Promise<void> {
  await new Promise((resolve) => {
    execFile('npm', ['run', 'build'], { cwd: ROOT }, resolve);
  });
  if (!existsSync(join(ROOT, 'dist/apps/demo/src/main.js'))) throw new Error('npm run build wrote no demo.');
}
