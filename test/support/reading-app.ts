import type { INestApplication } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { MongooseModule } from '@nestjs/mongoose';
import { Test } from '@nestjs/testing';
import type { ConnectOptions, mongo } from 'mongoose';
import { NoMetrics } from '../../libs/sync/src/metrics/metrics';
import { OplogRepository } from '../../libs/sync/src/log/oplog';
import { SyncModule } from '../../libs/sync/src/sync.module';
import type { SyncOptions } from '../../libs/sync/src/options/sync.options';
import { SyncService } from '../../libs/sync/src/sync.service';
import { SYNC_METRICS } from '../../libs/sync/src/options/tokens';

const SECRET = 'a-secret-for-the-tests-of-readers';

/** What the reading side reported to its metrics. */
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

/** An app with SyncModule's HTTP routes and metrics that the test reads. */
export interface ReadingApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly db: mongo.Db;
  readonly client: mongo.MongoClient;
  readonly metrics: ReadMetrics;
  readonly sync: SyncService;
  /** Headers of an identity of this scope. */
  as(scope: string, actor?: string): Record<string, string>;
  close(): Promise<void>;
}

export interface ReadingAppOptions {
  readonly options?: Partial<SyncOptions>;
  /** Options of the driver. */
  readonly client?: ConnectOptions;
  /** Before the app starts to listen: a host's global pipes and so on. */
  readonly configure?: (app: INestApplication) => void;
}

export async function startReadingApp(uri: string, given: ReadingAppOptions = {}): Promise<ReadingApp> {
  const metrics = new ReadMetrics();
  const testing = await Test.createTestingModule({
    imports: [
      MongooseModule.forRoot(uri, { ...given.client }),
      SyncModule.forRoot({
        stream: false,
        trimIntervalMs: 0,
        jwt: { secret: SECRET },
        actorIdField: 'user_id',
        scopeIdField: 'business_id',
        collections: ['tasks', 'notes', 'orders'].map((name) => ({ name, freeForm: true, ids: 'global' })),
        ...given.options,
      }),
    ],
  })
    .overrideProvider(SYNC_METRICS)
    .useValue(metrics)
    .compile();
  const app = testing.createNestApplication({ logger: false });
  given.configure?.(app);
  await app.listen(0, '127.0.0.1');
  const jwt = new JwtService({ secret: SECRET });
  const { db, client } = app.get(OplogRepository, { strict: false });
  return {
    app,
    url: await app.getUrl(),
    db,
    client,
    metrics,
    sync: app.get(SyncService),
    as: (scope, actor = 'ann') => ({
      authorization: `Bearer ${jwt.sign({ user_id: actor, business_id: scope })}`,
    }),
    close: () => app.close(),
  };
}
