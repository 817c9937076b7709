import { Module, type INestApplication, type ModuleMetadata, type Type } from '@nestjs/common';
import { Controller } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { Test } from '@nestjs/testing';
import mongoose, { type mongo } from 'mongoose';
import type { AddressInfo } from 'node:net';
import { CollectionRegistry } from '../../libs/sync/src/collections/collection-registry.service';
import { PortResolver } from '../../libs/sync/src/collections/port-resolver.service';
import { FullService } from '../../libs/sync/src/full/full.service';
import { SyncController } from '../../libs/sync/src/http/sync.controller';
import { IdentityService } from '../../libs/sync/src/identity/identity.service';
import { NoMetrics } from '../../libs/sync/src/metrics/metrics';
import { OplogRepository } from '../../libs/sync/src/oplog/oplog.repository';
import { OplogSetupService } from '../../libs/sync/src/oplog/oplog-setup.service';
import { PullService } from '../../libs/sync/src/pull/pull.service';
import { resolveSettings } from '../../libs/sync/src/sync.settings';
import { SyncService } from '../../libs/sync/src/sync.service';
import type { SyncOptions } from '../../libs/sync/src/sync.options';
import { SYNC_CONNECTION, SYNC_METRICS, SYNC_OPTIONS, SYNC_SETTINGS } from '../../libs/sync/src/sync.tokens';

const SECRET = 'reading-tests';

/** What the reading side told its metrics. */
export class ReadMetrics extends NoMetrics {
  readonly pulls: number[] = [];
  fulls = 0;
  override pull(changesServed?: number): void {
    this.pulls.push(changesServed ?? 0);
  }
  override fullResync(): void {
    this.fulls += 1;
  }
}

/** The reading side behind a real HTTP server, on a database of the test's own. */
export interface ReadingApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly db: mongo.Db;
  readonly connection: mongoose.Connection;
  readonly metrics: ReadMetrics;
  readonly pull: PullService;
  readonly full: FullService;
  /** Headers of an identity of this scope. */
  as(scope: string, actor?: string): Record<string, string>;
  close(): Promise<void>;
}

export interface ReadingAppOptions {
  readonly options?: Partial<SyncOptions>;
  /** Options of the driver. */
  readonly client?: mongoose.ConnectOptions;
  /** Before the app starts to listen: a host's global pipes and so on. */
  readonly configure?: (app: INestApplication) => void;
  readonly imports?: ModuleMetadata['imports'];
}

export async function startReadingApp(uri: string, given: ReadingAppOptions = {}): Promise<ReadingApp> {
  const connection = await mongoose.createConnection(uri, given.client).asPromise();
  const options: SyncOptions = {
    jwt: { secret: SECRET },
    actorIdField: 'user_id',
    scopeIdField: 'business_id',
    collections: [
      { name: 'tasks', freeForm: true, ids: 'global' },
      { name: 'notes', freeForm: true, ids: 'global' },
      { name: 'orders', freeForm: true, ids: 'global' },
    ],
    ...given.options,
  };
  const metrics = new ReadMetrics();
  const testing = await Test.createTestingModule({
    imports: [readingModule(connection, options, metrics)],
  }).compile();
  const app = testing.createNestApplication({ logger: false });
  given.configure?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  const jwt = new JwtService({ secret: SECRET });
  return {
    app,
    url: `http://127.0.0.1:${String(port)}`,
    db: connection.getClient().db(connection.name) as unknown as mongo.Db,
    connection,
    metrics,
    pull: app.get(PullService),
    full: app.get(FullService),
    as: (scope, actor = 'ann') => ({
      authorization: `Bearer ${jwt.sign({ user_id: actor, business_id: scope })}`,
    }),
    close: async () => {
      await app.close();
      await connection.close(true);
    },
  };
}

function readingModule(connection: mongoose.Connection, options: SyncOptions, metrics: ReadMetrics): Type {
  @Controller('sync')
  class TestController extends SyncController {}

  @Module({
    controllers: [TestController],
    providers: [
      { provide: SYNC_CONNECTION, useValue: connection },
      { provide: SYNC_OPTIONS, useValue: options },
      { provide: SYNC_SETTINGS, useValue: resolveSettings(options) },
      { provide: SYNC_METRICS, useValue: metrics },
      {
        provide: SyncService,
        useFactory: (pull: PullService, full: FullService) => ({
          push: (): never => {
            throw new Error('not here');
          },
          pull: pull.pull.bind(pull),
          full: full.open.bind(full),
        }),
        inject: [PullService, FullService],
      },
      CollectionRegistry,
      FullService,
      IdentityService,
      OplogRepository,
      OplogSetupService,
      PortResolver,
      PullService,
    ],
  })
  class ReadingModule {}
  return ReadingModule;
}
