import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import mongoose, { Schema } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { SyncAdminService } from '../admin/admin.service';
import { SyncModule } from '../sync.module';
import { checkNames } from './collection-names';
import { withDatabase, type ConnectionOptions } from './connection';

/** What is known here of a synced collection: its app, and so its schema, is somewhere else. */
export interface AdminCollection {
  readonly collection: string;
  readonly hidden: readonly string[];
}

/**
 * Starts the engine as an app does, without routes and sockets, and gives its admin service. Ctrl-C ends a job between two
 * steps.
 */
export async function withAdmin<T>(
  options: ConnectionOptions,
  { collection, hidden }: AdminCollection,
  work: (admin: SyncAdminService, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { kind, uri, dbName } = await withDatabase(options, {}, async ({ oplog, settings, connection }) => {
    checkNames([collection], settings);
    const one = await oplog.db.collection(collection).findOne({}, { projection: { _id: 1 } });
    if (!one)
      throw new SyncError(
        'configuration',
        `--collection: ${collection} has no documents in database ${connection.name}.`,
      );
    return { kind: idType(one._id), uri: options.mongodbUri ?? '', dbName: connection.name };
  });
  const { oplogCollection, headsCollection, receiptsCollection, leasesCollection } = options;
  const schema = new Schema({ _id: kind }, { strict: false, minimize: false, id: false });
  @Module({
    imports: [
      MongooseModule.forRoot(uri, {
        dbName,
        appName: 'nest-offline-sync',
        autoIndex: false,
        autoCreate: false,
      }),
      MongooseModule.forFeature([{ name: MODEL, schema, collection }]),
      SyncModule.forRoot({
        http: false,
        stream: false,
        // Nobody asks it anything.
        jwt: { secret: randomBytes(32).toString('hex') },
        trimIntervalMs: 0,
        metricsEnabled: false,
        collections: [{ name: collection, model: MODEL, ids: 'global', hidden: ['__v', ...hidden] }],
        ...{ oplogCollection, headsCollection, receiptsCollection, leasesCollection },
      }),
    ],
  })
  class AdminModule {}
  const app = await NestFactory.createApplicationContext(AdminModule, { logger: false, abortOnError: false });
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of SIGNALS) process.once(signal, onSignal);
  try {
    return await work(app.get(SyncAdminService, { strict: false }), stop.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    await app.close();
  }
}

const MODEL = 'AdoptedDocument';
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** All ids of a collection are taken for what the first one is; others are named as those that cannot be adopted. */
function idType(id: unknown): unknown {
  const { ObjectId, UUID, Binary } = mongoose.mongo;
  if (id instanceof ObjectId) return Schema.Types.ObjectId;
  if (id instanceof UUID || (id instanceof Binary && id.sub_type === Binary.SUBTYPE_UUID))
    return Schema.Types.UUID;
  if (typeof id === 'string') return String;
  return typeof id === 'number' ? Number : Schema.Types.Mixed;
}
