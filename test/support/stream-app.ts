import type { AddressInfo } from 'node:net';
import type { INestApplication, ModuleMetadata, Provider } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { getConnectionToken, MongooseModule } from '@nestjs/mongoose';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { CollectionRegistry } from '../../libs/sync/src/collections/collection-registry.service';
import { PortResolver } from '../../libs/sync/src/collections/port-resolver.service';
import { IdentityService } from '../../libs/sync/src/identity/identity.service';
import { NoMetrics, type SyncMetrics } from '../../libs/sync/src/metrics/metrics';
import { OplogSetupService } from '../../libs/sync/src/oplog/oplog-setup.service';
import { OplogRepository } from '../../libs/sync/src/oplog/oplog.repository';
import { PullService } from '../../libs/sync/src/pull/pull.service';
import { ChangeStreamHub } from '../../libs/sync/src/stream/change-stream-hub.service';
import { StreamService } from '../../libs/sync/src/stream/stream.service';
import { resolveExtras } from '../../libs/sync/src/sync.extras';
import type { SyncModuleExtras, SyncOptions } from '../../libs/sync/src/sync.options';
import { resolveSettings } from '../../libs/sync/src/sync.settings';
import {
  SYNC_CONNECTION,
  SYNC_EXTRAS,
  SYNC_METRICS,
  SYNC_OPTIONS,
  SYNC_SETTINGS,
} from '../../libs/sync/src/sync.tokens';
import { SyncGateway } from '../../libs/sync/src/ws/sync.gateway';
import { LogWriter } from './stream-log';
import { StreamClient, type ClientOptions } from './stream-client';

export const SECRET = 'a-secret-of-the-tests-that-is-long-enough';

export interface StreamApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly writer: LogWriter;
  readonly oplog: OplogRepository;
  readonly hub: ChangeStreamHub;
  readonly streams: StreamService;
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
  /** The name that the app's client tells the server: fail points can be made for it alone. */
  readonly appName?: string;
  readonly serverSelectionTimeoutMS?: number;
  readonly metrics?: SyncMetrics;
  readonly prepare?: (app: INestApplication) => void;
}

/** The streaming side, with what it stands on. */
export function streamModule(given: StreamAppOptions): ModuleMetadata {
  const options: SyncOptions = {
    collections: ['tasks', 'notes', 'orders'].map((name) => ({ name, freeForm: true })),
    jwt: { secret: SECRET },
    scopeIdField: 'business_id',
    metricsEnabled: false,
    ...given.options,
  };
  return {
    imports: [
      MongooseModule.forRoot(given.uri, {
        serverSelectionTimeoutMS: given.serverSelectionTimeoutMS ?? 2000,
        appName: given.appName,
        heartbeatFrequencyMS: 500,
      }),
    ],
    providers: [
      { provide: SYNC_OPTIONS, useValue: options },
      { provide: SYNC_SETTINGS, useValue: resolveSettings(options) },
      { provide: SYNC_EXTRAS, useValue: resolveExtras(given.extras ?? {}) },
      { provide: SYNC_METRICS, useValue: given.metrics ?? new NoMetrics() },
      { provide: SYNC_CONNECTION, useExisting: getConnectionToken() },
      OplogRepository,
      OplogSetupService,
      PortResolver,
      CollectionRegistry,
      IdentityService,
      PullService,
      ChangeStreamHub,
      StreamService,
      SyncGateway,
      ...(given.providers ?? []),
    ],
  };
}

export async function startStreamApp(given: StreamAppOptions): Promise<StreamApp> {
  const module = await Test.createTestingModule(streamModule(given)).compile();
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
