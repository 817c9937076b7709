import { Module, type INestApplicationContext, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import type { ConnectOptions, mongo } from 'mongoose';
import { SyncModule, SyncService, type SyncCollectionOptions } from 'nest-offline-sync';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import type { Host } from './case';

/**
 * Longer than anything takes, also on a busy machine: a process that is stopped but not yet killed ends its transaction
 * then.
 */
const DEADLINE_MS = 120_000;

/** The engine in an app without transports: they are thin, and thousands of runs are asked and answered. */
export class EngineProcess implements Host {
  private constructor(private readonly app: INestApplicationContext) {}

  static async start(
    uri: string,
    collections: readonly SyncCollectionOptions[],
    client: ConnectOptions = {},
  ): Promise<EngineProcess> {
    @Module({
      imports: [
        MongooseModule.forRoot(uri, client),
        SyncModule.forRoot({
          http: false,
          stream: false,
          metricsEnabled: false,
          trimIntervalMs: 0,
          shutdownTimeoutMs: 0,
          jwt: { secret: 'no token is ever looked at, and none is given' },
          retryDeadlineMs: DEADLINE_MS,
          scopes: { list: () => [], access: () => 'write' },
          collections,
        }),
      ],
    })
    class HostModule {}
    return new EngineProcess(await NestFactory.createApplicationContext(HostModule, { logger: false }));
  }

  /** A part of the engine. */
  readonly of = <T>(type: Type<T> | symbol): T => this.app.get<T>(type, { strict: false });

  get sync(): SyncService {
    return this.of(SyncService);
  }

  get client(): mongo.MongoClient {
    return this.of(OplogRepository).client;
  }

  get db(): mongo.Db {
    return this.of(OplogRepository).db;
  }

  close(): Promise<void> {
    return this.app.close();
  }
}
