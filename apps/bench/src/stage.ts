import mongoose, { type mongo } from 'mongoose';
import { startEmbeddedMongo, type EmbeddedMongo } from 'nest-offline-sync-embedded-mongo';
import { BareStore } from './bare/bare-store';
import type { Options } from './options';
import { startOriginal } from './peer/original';
import { parseReadyLine, startServer, type Server } from './processes/child';
import { program } from './processes/folders';
import { databaseOf, type Bench, type Served } from './rows/bench';
import { toVariables, type ServerEnvironment } from './server/environment';
import { Tokens } from './workload/tokens';

/** The database and the servers of a run. Each starts when a row first asks for it, and all end with close(). */
export class Stage implements Bench {
  readonly tokens = new Tokens();
  readonly seed: number;
  readonly quick: boolean;
  private readonly servers = new Map<Served, Promise<Server>>();
  private readonly own: Server[] = [];
  private store: Promise<BareStore> | undefined;
  private sockets: Promise<Server> | undefined;

  private constructor(
    private readonly options: Options,
    private readonly mongod: EmbeddedMongo,
    readonly client: mongo.MongoClient,
  ) {
    this.seed = options.seed;
    this.quick = options.quick;
  }

  static async open(options: Options): Promise<Stage> {
    const mongod = await startEmbeddedMongo();
    const client = await mongoose.mongo.MongoClient.connect(mongod.uri, { maxPoolSize: 4 });
    return new Stage(options, mongod, client);
  }

  get mongoUri(): string {
    return this.mongod.uri;
  }

  async mongoVersion(): Promise<string> {
    const { version } = await this.client.db('admin').command({ buildInfo: 1 });
    return String(version);
  }

  bare(): Promise<BareStore> {
    return (this.store ??= BareStore.open(this.mongoUri, 'bench_bare'));
  }

  server(variant: Served): Promise<Server> {
    let server = this.servers.get(variant);
    if (!server) this.servers.set(variant, (server = this.start(variant)));
    return server;
  }

  async ownServer(
    database: string,
    options: { pingIntervalMs?: number; pages?: string; capture?: boolean } = {},
  ): Promise<Server> {
    const server = await this.ours({ database, workers: 1, ...options }, this.profiling());
    this.own.push(server);
    return server;
  }

  async ownOriginal(): Promise<Server> {
    const server = await startOriginal(this.mongoUri, 'bench_original_own', this.tokens.secret);
    this.own.push(server);
    return server;
  }

  bareSockets(): Promise<Server> {
    return (this.sockets ??= this.ownSockets());
  }

  async ownSockets(): Promise<Server> {
    const server = await startServer({
      ...node('The bare sockets', 'apps/bench/src/echo/sockets.js'),
      env: {},
    });
    this.own.push(server);
    return server;
  }

  async close(): Promise<void> {
    const servers = await Promise.allSettled(this.servers.values());
    const started = servers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    await Promise.all([...started, ...this.own].map((server) => server.stop()));
    await (await this.store)?.close();
    await this.client.close();
    await this.mongod.stop();
  }

  private start(variant: Served): Promise<Server> {
    const database = databaseOf(variant);
    switch (variant) {
      case 'echo':
        return startServer({ ...node('The echo', 'apps/bench/src/echo/main.js'), env: {} });
      case 'original':
        return startOriginal(this.mongoUri, database, this.tokens.secret);
      case 'ours-1':
        return this.ours({ database, workers: 1 }, this.profiling());
      case 'ours-2':
        return this.ours({ database, workers: 2 });
    }
  }

  private ours(
    environment: Pick<ServerEnvironment, 'database' | 'workers'> & Partial<ServerEnvironment>,
    nodeArgs: readonly string[] = [],
  ): Promise<Server> {
    const { mongoUri, tokens } = this;
    return startServer({
      ...node('The server', 'apps/bench/src/server/main.js', nodeArgs),
      env: toVariables({ mongoUri, secret: tokens.secret, pingIntervalMs: undefined, ...environment }),
    });
  }

  private profiling(): string[] {
    const { profile } = this.options;
    return profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  }
}

function node(name: string, path: string, args: readonly string[] = []) {
  return { name, command: process.execPath, args: [...args, program(path)], ready: parseReadyLine };
}
