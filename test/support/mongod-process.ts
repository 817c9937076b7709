import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import mongoose, { type mongo } from 'mongoose';

export interface MongodSettings {
  readonly path: string;
  readonly port: number;
  readonly dbPath: string;
  readonly replicaSet: string;
}

/** How long a member that is frozen or dead keeps a question waiting. */
const ANSWER_LIMIT_MS = 3_000;

/** A mongod that can be killed, frozen and started again on the same folder and port. */
export class MongodProcess {
  private child: ChildProcess | undefined;
  private direct: mongo.MongoClient | undefined;

  constructor(readonly settings: MongodSettings) {}

  /** Starts it, also after a kill. Does not wait until it answers. */
  start(): void {
    const { path, port, dbPath, replicaSet } = this.settings;
    const args = ['--port', String(port), '--dbpath', dbPath, '--replSet', replicaSet];
    const small = ['--storageEngine', 'wiredTiger', '--wiredTigerCacheSizeGB', '0.25'];
    this.child = spawn(
      path,
      [...args, ...small, '--bind_ip', '127.0.0.1', '--setParameter', 'enableTestCommands=1'],
      { stdio: 'ignore' },
    );
  }

  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Ends it without a word and waits until it is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    if (!child || !this.isRunning) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  /** Past every proxy. A member that is down answers nothing: an error after three seconds. */
  get client(): mongo.MongoClient {
    this.direct ??= new mongoose.mongo.MongoClient(
      `mongodb://127.0.0.1:${String(this.settings.port)}/?directConnection=true`,
      {
        appName: 'check',
        serverSelectionTimeoutMS: ANSWER_LIMIT_MS,
        connectTimeoutMS: ANSWER_LIMIT_MS,
        socketTimeoutMS: ANSWER_LIMIT_MS,
        heartbeatFrequencyMS: 500,
        retryReads: false,
        retryWrites: false,
      },
    );
    return this.direct;
  }

  async admin(command: mongo.Document): Promise<mongo.Document> {
    const { client } = this;
    try {
      return await client.db('admin').command(command);
    } catch (error) {
      // A client that could not connect at its first try stays closed for ever.
      const isLost = /^Mongo(ServerSelection|TopologyClosed)Error$/.test((error as Error).name);
      if (isLost && this.direct === client) {
        this.direct = undefined;
        await client.close();
      }
      throw error;
    }
  }

  /** What it says of itself; undefined while it does not answer. */
  async hello(): Promise<mongo.Document | undefined> {
    return this.isRunning ? this.admin({ hello: 1 }).catch(() => undefined) : undefined;
  }

  async stop(): Promise<void> {
    await this.direct?.close();
    await this.kill();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
