import type { AddressInfo } from 'node:net';
import type { INestApplication, ModuleMetadata, Provider } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { MongooseModule } from '@nestjs/mongoose';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { NoMetrics, type SyncMetrics } from '../../libs/sync/src/metrics/metrics';
import { OplogRepository } from '../../libs/sync/src/log/oplog';
import { ChangeStreamHub } from '../../libs/sync/src/stream/change-stream-hub';
import { StreamService } from '../../libs/sync/src/stream/stream.service';
import { SyncModule } from '../../libs/sync/src/sync.module';
import type { SyncModuleExtras, SyncOptions } from '../../libs/sync/src/options/sync.options';
import { SyncService } from '../../libs/sync/src/sync.service';
import { SYNC_METRICS } from '../../libs/sync/src/options/tokens';
import { StreamClient, type ClientOptions } from './stream-client';
import { LogWriter } from './stream-log';

export const SECRET = 'a-secret-of-the-tests-that-is-long-enough';

export interface StreamApp {
  readonly app: INestApplication;
  readonly url: string;
  /** Writes entries by hand, with the app's own connection. */
  readonly writer: LogWriter;
  readonly oplog: OplogRepository;
  readonly hub: ChangeStreamHub;
  readonly streams: StreamService;
  /**
   * Pushes a new document into each named collection, in one push. One at a time for each scope.
   *
   * @returns the seq of the last one
   */
  push(scope: string, collections: readonly string[], note?: string): Promise<number>;
  token(claims?: object, expiresInSeconds?: number): string;
  /** Opens a socket. It is cut off by {@link hangUp}. */
  connect(path?: string, options?: ClientOptions): Promise<StreamClient>;
  /** Opens a socket and subscribes with a fresh token of scope `b1`. */
  subscribe(message?: object): Promise<StreamClient>;
  /** Cuts all clients off. */
  hangUp(): void;
}

export interface StreamAppOptions {
  readonly uri: string;
  readonly options?: Partial<SyncOptions>;
  readonly extras?: SyncModuleExtras;
  readonly providers?: Provider[];
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  /** The name that the app's client sends to the server: fail points can be set for it alone. */
  readonly appName?: string;
  readonly serverSelectionTimeoutMS?: number;
  readonly metrics?: SyncMetrics;
  readonly prepare?: (app: INestApplication) => void;
}

/** The streaming side, with what it depends on. */
export function streamModule(given: StreamAppOptions): ModuleMetadata {
  const options: SyncOptions = {
    collections: ['tasks', 'notes', 'orders'].map((name) => ({ name, freeForm: true })),
    jwt: { secret: SECRET },
    scopeIdField: 'business_id',
    metricsEnabled: false,
    ...given.options,
  };
  const sync = SyncModule.forRoot({ trimIntervalMs: 0, ...given.extras, ...options });
  return {
    imports: [
      MongooseModule.forRoot(given.uri, {
        serverSelectionTimeoutMS: given.serverSelectionTimeoutMS ?? 2000,
        appName: given.appName,
        heartbeatFrequencyMS: 500,
      }),
      sync,
      ...(given.imports ?? []),
    ],
    providers: [...(given.providers ?? [])],
  };
}

export async function startStreamApp(given: StreamAppOptions): Promise<StreamApp> {
  const module = await Test.createTestingModule(streamModule(given))
    .overrideProvider(SYNC_METRICS)
    .useValue(given.metrics ?? new NoMetrics())
    .compile();
  const app = module.createNestApplication();
  app.useWebSocketAdapter(new WsAdapter(app));
  given.prepare?.(app);
  try {
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await app.close();
    throw error;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `ws://127.0.0.1:${String(port)}/sync/stream`;
  const oplog = app.get(OplogRepository);
  const jwt = new JwtService({ secret: SECRET });
  const token = (claims: object = {}, expiresIn = 3600): string =>
    jwt.sign({ business_id: 'b1', user_id: 'u1', ...claims }, { expiresIn });
  const pushed = new Map<string, number>();
  const push: StreamApp['push'] = async (scope, collections, note = '') => {
    const first = pushed.get(scope) ?? 0;
    const changes = collections.map((collection, index) => ({
      collection,
      operation: 'upsert',
      doc_id: `${scope}-${String(first + index + 1)}`,
      data: { note },
    }));
    const identity = { scopeId: scope, actorId: 'u1' };
    const { results } = await app.get(SyncService).push(identity, { client_id: 'device', changes });
    const refused = results.find(({ status }) => status !== 'accepted');
    if (refused) throw new Error(`A push was refused: ${String(refused.code)}`);
    pushed.set(scope, first + collections.length);
    return first + collections.length;
  };
  const clients: StreamClient[] = [];
  const connect: StreamApp['connect'] = async (path = '/sync/stream', options) => {
    const client = await StreamClient.open(`ws://127.0.0.1:${String(port)}${path}`, options);
    clients.push(client);
    return client;
  };
  return {
    app,
    url,
    oplog,
    token,
    connect,
    push,
    writer: new LogWriter(oplog),
    hub: app.get(ChangeStreamHub),
    streams: app.get(StreamService),
    subscribe: async (message = {}) => {
      const client = await connect();
      client.say({ type: 'subscribe', token: token(), ...message });
      return client;
    },
    hangUp: () => clients.splice(0).forEach(({ socket }) => socket.terminate()),
  };
}
