import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose, { type mongo } from 'mongoose';
import { findMongod } from '../../libs/embedded-mongo/src';

interface Member {
  readonly port: number;
  readonly process: ChildProcess;
  readonly client: mongo.MongoClient;
}

/** Three members on loopback, for what a single one cannot show: elections, and writes that are not confirmed yet. */
export class ReplicaTrio {
  private constructor(
    private readonly members: Member[],
    private readonly folder: string,
  ) {}

  static async start(): Promise<ReplicaTrio> {
    const { path } = await findMongod();
    const folder = await mkdtemp(join(tmpdir(), 'nos-trio-'));
    const members: Member[] = [];
    for (let index = 0; index < 3; index += 1) members.push(await startMember(path, folder));
    const trio = new ReplicaTrio(members, folder);
    await members[0]?.client.db('admin').command({
      replSetInitiate: {
        _id: 'trio',
        members: members.map(({ port }, _id) => ({
          _id,
          host: `127.0.0.1:${String(port)}`,
          priority: _id === 0 ? 2 : 1,
        })),
        settings: { electionTimeoutMillis: 1_000, heartbeatIntervalMillis: 500 },
      },
    });
    await trio.primary();
    return trio;
  }

  uri(database: string): string {
    const hosts = this.members.map(({ port }) => `127.0.0.1:${String(port)}`).join(',');
    return `mongodb://${hosts}/${database}?replicaSet=trio&heartbeatFrequencyMS=500&connectTimeoutMS=2000`;
  }

  /** Keeps the secondaries from copying, so that nothing new is confirmed by the majority. */
  async stall(on: boolean): Promise<void> {
    const primary = await this.primary();
    const mode = on ? 'alwaysOn' : 'off';
    for (const member of this.members) {
      if (member !== primary)
        await member.client.db('admin').command({ configureFailPoint: 'stopReplProducer', mode });
    }
  }

  /** Kills the primary without a word. The set elects another one. */
  async killPrimary(): Promise<void> {
    const primary = await this.primary();
    primary.process.kill('SIGKILL');
    await primary.client.close();
    this.members.splice(this.members.indexOf(primary), 1);
    await this.primary();
  }

  async stop(): Promise<void> {
    for (const { client, process } of this.members) {
      await client.close();
      process.kill('SIGKILL');
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async primary(): Promise<Member> {
    const deadline = Date.now() + 20_000;
    while (Date.now() < deadline) {
      for (const member of this.members) {
        const hello = await member.client.db('admin').command({ hello: 1 });
        if (hello['isWritablePrimary'] === true) return member;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('The three members elected no primary.');
  }
}

async function startMember(path: string, folder: string): Promise<Member> {
  const port = await freePort();
  const dbPath = await mkdtemp(join(folder, 'db-'));
  const args = ['--port', String(port), '--dbpath', dbPath, '--replSet', 'trio', '--bind_ip', '127.0.0.1'];
  const small = ['--storageEngine', 'wiredTiger', '--wiredTigerCacheSizeGB', '0.25'];
  const server = spawn(path, [...args, ...small, '--setParameter', 'enableTestCommands=1'], {
    stdio: 'ignore',
  });
  const uri = `mongodb://127.0.0.1:${String(port)}/?directConnection=true&serverSelectionTimeoutMS=20000`;
  return { port, process: server, client: await mongoose.mongo.MongoClient.connect(uri) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
