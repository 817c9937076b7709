import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import mongoose, { Schema } from 'mongoose';
import { SyncAdminService } from '../admin/admin.service';
import { SYNC_FIELDS, type StoredId } from '../codec/stored-document';
import { SyncModule } from '../sync.module';
import { withDatabase, type ConnectionOptions } from './connection';

/** What is known here of a synced collection: its app, and so its schema, is somewhere else. */
export interface AdminCollection {
  readonly name: string;
  readonly hidden: readonly string[];
  /** One of its documents, or what an entry tells of one: all others are taken for what it is. */
  readonly sample: SampleDocument | undefined;
  /** But for texts and numbers, which may stand side by side in what is in sync already. */
  readonly isInSync?: true;
}

export interface SampleDocument {
  readonly storedId: StoredId;
  readonly scope: unknown;
}

/**
 * Starts the engine as an app does, without routes and sockets, and gives its admin service. Ctrl-C ends a job between two
 * steps.
 */
export async function withAdmin<T>(
  options: ConnectionOptions,
  collections: readonly AdminCollection[],
  work: (admin: SyncAdminService, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { uri, dbName } = await withDatabase(options, {}, ({ connection }) =>
    Promise.resolve({ uri: options.mongodbUri ?? '', dbName: connection.name }),
  );
  const { oplogCollection, headsCollection, receiptsCollection, leasesCollection } = options;
  @Module({
    imports: [
      MongooseModule.forRoot(uri, {
        dbName,
        appName: 'nest-offline-sync',
        autoIndex: false,
        autoCreate: false,
      }),
      MongooseModule.forFeature(
        collections.map(({ name, sample, isInSync }) => ({
          name: modelOf(name),
          collection: name,
          schema: new Schema(
            { _id: idType(sample, isInSync) },
            { strict: false, minimize: false, id: false },
          ),
        })),
      ),
      SyncModule.forRoot({
        http: false,
        stream: false,
        // Nobody asks it anything.
        jwt: { secret: randomBytes(32).toString('hex') },
        trimIntervalMs: 0,
        metricsEnabled: false,
        collections: collections.map(({ name, sample, hidden }) => ({
          name,
          model: modelOf(name),
          ids: hasScopedId(sample) ? 'scoped' : 'global',
          hidden: ['__v', ...hidden],
        })),
        ...{ oplogCollection, headsCollection, receiptsCollection, leasesCollection },
      }),
    ],
  })
  class AdminModule {}
  const app = await NestFactory.createApplicationContext(AdminModule, { logger: false, abortOnError: false });
  try {
    return await untilSignal((signal) => work(app.get(SyncAdminService, { strict: false }), signal));
  } finally {
    await app.close();
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Ctrl-C ends a job between two steps. */
export async function untilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of SIGNALS) process.once(signal, onSignal);
  try {
    return await work(stop.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

function modelOf(collection: string): string {
  return `AdminDocument ${collection}`;
}

function idType(sample: SampleDocument | undefined, isInSync = false): unknown {
  const { ObjectId, UUID, Binary } = mongoose.mongo;
  const id = sample?.storedId;
  if (id instanceof ObjectId) return Schema.Types.ObjectId;
  if (id instanceof UUID || (id instanceof Binary && id.sub_type === Binary.SUBTYPE_UUID))
    return Schema.Types.UUID;
  if (typeof id === 'string' && !isInSync) return String;
  return typeof id === 'number' && !isInSync ? Number : Schema.Types.Mixed;
}

/** Scoped ids are the JSON of scope and id. */
function hasScopedId(sample: SampleDocument | undefined): boolean {
  const { storedId, scope } = sample ?? {};
  return typeof scope === 'string' && typeof storedId === 'string'
    ? storedId.startsWith(`[${JSON.stringify(scope)},`)
    : false;
}

/** Of a document as it is stored. */
export function sampleOf(document: Record<string, unknown>): SampleDocument {
  return { storedId: document['_id'], scope: document[SYNC_FIELDS.scope] };
}
