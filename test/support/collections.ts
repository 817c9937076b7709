import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { Checked, DocumentIds } from '../../libs/sync/src/plan/document-form';
import 'reflect-metadata';
import { Logger, type Provider } from '@nestjs/common';
import { getConnectionToken, MongooseModule, type ModelDefinition } from '@nestjs/mongoose';
import { Test, type TestingModule } from '@nestjs/testing';
import { Schema, type Connection } from 'mongoose';
import type { Prepared, SyncedCollection } from '../../libs/sync/src/collections/collection';
import { CollectionRegistry } from '../../libs/sync/src/collections/collection-registry';
import { PortResolver } from '../../libs/sync/src/collections/port-resolver';
import type { SyncIdentity } from '../../libs/sync/src/identity/identity';
import { ScopeAccess } from '../../libs/sync/src/identity/scope-access';
import type { SyncCollectionOptions, SyncOptions } from '../../libs/sync/src/options/sync.options';
import { resolveSettings } from '../../libs/sync/src/options/settings';
import { SYNC_CONNECTION, SYNC_OPTIONS, SYNC_SETTINGS } from '../../libs/sync/src/options/tokens';
import { testDatabase, type TestDatabase } from './database';

/** A registry alone, in a Nest app with a real connection and four models. */

export const identity: SyncIdentity = { scopeId: 'shop', actorId: 'ada', user: { roles: ['clerk'] } };

const taskSchema = new Schema(
  {
    title: { type: String, required: true },
    due: Date,
    owner: Schema.Types.ObjectId,
    price: Schema.Types.Decimal128,
    total: BigInt,
    photo: Buffer,
    tags: { type: [String], default: undefined },
  },
  { timestamps: true },
);
const MODELS: ModelDefinition[] = [
  { name: 'Task', schema: taskSchema },
  { name: 'Setting', schema: new Schema({ _id: String, value: Number }) },
  { name: 'Device', schema: new Schema({ _id: Schema.Types.UUID, name: String }) },
  { name: 'Compound', schema: new Schema({ _id: { a: Number }, name: String }) },
];

let database: TestDatabase | undefined;
let started: TestingModule[] = [];
let warnings: string[] = [];

/** Closes each test's apps after it, and keeps its log apart. Call it once at the top of a test file. */
export function useCollections(): void {
  beforeEach(() => {
    warnings = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((message) => void warnings.push(String(message)));
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    for (const module of started) await module.close();
    started = [];
  });
}

/** What this test's apps have warned of. */
export function loggedWarnings(): readonly string[] {
  return warnings;
}

/** The app's own connection. */
export function hostConnection(): Connection {
  const [module] = started;
  if (!module) throw new Error('no app was started');
  return module.get<Connection>(getConnectionToken());
}

export async function registryOf(
  options: SyncOptions,
  providers: Provider[] = [],
): Promise<CollectionRegistry> {
  const module = await Test.createTestingModule({
    imports: [
      // The host's own client settings must not reach the engine's collections.
      MongooseModule.forRoot((database ??= testDatabase(__filename)).uri, {
        promoteBuffers: true,
        bsonRegExp: true,
        useBigInt64: true,
      }),
      MongooseModule.forFeature(MODELS),
    ],
    providers: [
      { provide: SYNC_CONNECTION, useExisting: getConnectionToken() },
      { provide: SYNC_OPTIONS, useValue: options },
      { provide: SYNC_SETTINGS, useValue: resolveSettings(options) },
      PortResolver,
      ScopeAccess,
      CollectionRegistry,
      ...providers,
    ],
  }).compile();
  started.push(module);
  return module.get(CollectionRegistry);
}

export async function sealedWith(
  options: SyncOptions,
  providers: Provider[] = [],
): Promise<CollectionRegistry> {
  const registry = await registryOf(options, providers);
  await registry.seal();
  return registry;
}

export async function collection(
  options: SyncCollectionOptions,
  providers: Provider[] = [],
): Promise<SyncedCollection> {
  const found = (await sealedWith({ collections: [options] }, providers)).get(options.name);
  if (!found) throw new Error('not registered');
  return found;
}

/** What becomes of a client's data if no document is stored, with everything that the server adds. */
export async function sentNew(of: SyncedCollection, docId: DocId, data: JsonObject): Promise<Checked> {
  const ids = idsOf(of, docId);
  return settled(of, ids, await of.prepare(identity, ids, data, true));
}

/** What becomes of the app's own data if no document is stored. */
export async function writtenNew(of: SyncedCollection, docId: DocId, data: object): Promise<Checked> {
  const ids = idsOf(of, docId);
  return settled(of, ids, await of.cast(ids, data));
}

export async function document(made: Promise<Checked>): Promise<Record<string, unknown>> {
  const checked = await made;
  if (!checked.ok) throw new Error(checked.rejection.message);
  return checked.document;
}

function idsOf(of: SyncedCollection, wireId: DocId): DocumentIds {
  return { storedId: of.ids.toStored(identity.scopeId, wireId), wireId };
}

async function settled(of: SyncedCollection, ids: DocumentIds, prepared: Prepared): Promise<Checked> {
  const checked = await of.settle(ids, prepared, undefined);
  const { form } = of.rules;
  return checked.ok && form ? { ok: true, document: form.stamp(checked.document, undefined) } : checked;
}
