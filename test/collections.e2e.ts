import 'reflect-metadata';
import { ForbiddenException, Injectable, Logger, Scope, type Provider, type Type } from '@nestjs/common';
import { getConnectionToken, MongooseModule, type ModelDefinition } from '@nestjs/mongoose';
import { Test, type TestingModule } from '@nestjs/testing';
import { IsString } from 'class-validator';
import mongoose, { Schema, type Connection } from 'mongoose';
import { CollectionRegistry } from '../libs/sync/src/collections/collection-registry.service';
import type { SyncedCollection } from '../libs/sync/src/collections/collection';
import { PortResolver } from '../libs/sync/src/collections/port-resolver.service';
import { DocumentTransform, SyncAuthorizer } from '../libs/sync/src/collections/ports';
import { encodeDocument } from '../libs/sync/src/collections/wire-codec';
import { ConflictResolver, type Conflict } from '../libs/sync/src/conflict/conflict';
import type { SyncIdentity } from '../libs/sync/src/identity/identity';
import type { JsonObject } from '../libs/sync/src/protocol/json';
import type { SyncCollectionOptions, SyncOptions } from '../libs/sync/src/sync.options';
import { resolveSettings } from '../libs/sync/src/sync.settings';
import { SYNC_CONNECTION, SYNC_OPTIONS, SYNC_SETTINGS } from '../libs/sync/src/sync.tokens';
import { testDatabase } from './support/database';

const { mongo } = mongoose;
const identity: SyncIdentity = { scopeId: 'shop', actorId: 'ada', user: { roles: ['clerk'] } };
const HEX = '507f1f77bcf86cd799439011';

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

const database = testDatabase(__filename);
let started: TestingModule[] = [];
let warnings: string[] = [];

async function registryOf(options: SyncOptions, providers: Provider[] = []): Promise<CollectionRegistry> {
  const module = await Test.createTestingModule({
    imports: [
      // The host's own client settings must not reach the engine's collections.
      MongooseModule.forRoot(database.uri, { promoteBuffers: true, bsonRegExp: true, useBigInt64: true }),
      MongooseModule.forFeature(MODELS),
    ],
    providers: [
      { provide: SYNC_CONNECTION, useExisting: getConnectionToken() },
      { provide: SYNC_OPTIONS, useValue: options },
      { provide: SYNC_SETTINGS, useValue: resolveSettings(options) },
      PortResolver,
      CollectionRegistry,
      ...providers,
    ],
  }).compile();
  started.push(module);
  return module.get(CollectionRegistry);
}

async function sealedWith(options: SyncOptions, providers: Provider[] = []): Promise<CollectionRegistry> {
  const registry = await registryOf(options, providers);
  await registry.seal();
  return registry;
}

async function collection(
  options: SyncCollectionOptions,
  providers: Provider[] = [],
): Promise<SyncedCollection> {
  const found = (await sealedWith({ collections: [options] }, providers)).get(options.name);
  if (!found) throw new Error('not registered');
  return found;
}

async function document(made: ReturnType<SyncedCollection['prepare']>): Promise<Record<string, unknown>> {
  const prepared = await made;
  if (!prepared.ok) throw new Error(prepared.rejection.message);
  return prepared.document;
}

type OptionalId = mongoose.mongo.OptionalId<Record<string, unknown>>;

/** The driver takes ids of an untyped collection for ObjectIds. */
function idOf(of: SyncedCollection, id: string): mongoose.mongo.ObjectId {
  return of.ids.toStored('shop', id) as mongoose.mongo.ObjectId;
}

beforeEach(() => {
  warnings = [];
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((message) => void warnings.push(String(message)));
});

afterEach(async () => {
  jest.restoreAllMocks();
  for (const module of started) await module.close();
  started = [];
});

describe('setting collections up', () => {
  it('finds the model by the collection or by its name, and knows its ids', async () => {
    const registry = await sealedWith({
      collections: ['tasks', { name: 'settings', model: 'Setting', ids: 'global' }, 'devices'],
    });
    expect(registry.names()).toEqual(['tasks', 'settings', 'devices']);
    const stored = (name: string, id: string | number) => registry.get(name)?.ids.toStored('shop', id);
    expect(stored('tasks', HEX)).toEqual(new mongo.ObjectId(HEX));
    expect(stored('tasks', 'abcdefghijkl')).toBeUndefined();
    expect(stored('settings', 'theme')).toBe('theme');
    expect(stored('settings', 5)).toBeUndefined();
    expect(stored('devices', '0F9A3C1E-1b2d-4c3f-8a4b-5c6d7e8f9a0b')).toEqual(
      new mongo.UUID('0f9a3c1e-1b2d-4c3f-8a4b-5c6d7e8f9a0b'),
    );
    expect(registry.get('tasks')?.rules).toEqual({
      strategy: 'last-writer-wins',
      deleteUpdatePolicy: 'resurrect_on_update',
      createdAtField: 'createdAt',
    });
    expect(registry.get('other')).toBeUndefined();
  });

  it.each<[string, SyncCollectionOptions, RegExp]>([
    ['no model', { name: 'taks' }, /taks: model has no model.*Task \(tasks\).*forFeature.*freeForm: true/],
    ['a mistyped model', { name: 'tasks', model: 'Taks' }, /Taks is not registered.*Task \(tasks\)/],
    [
      'another collection’s model',
      { name: 'tasks', model: 'Setting' },
      /is Setting, whose collection is settings/,
    ],
    ['an id that cannot travel', { name: 'compounds' }, /Compound has an _id of type/],
    [
      'scoped ObjectIds',
      { name: 'tasks', ids: 'scoped' },
      /_id must be a String, or the collection freeForm/,
    ],
    [
      'a wrong class',
      { name: 'tasks', authorizer: class Wrong {} as Type<SyncAuthorizer> },
      /class Wrong, which has no/,
    ],
  ])('%s stops the start with the remedy', async (_, options, message) => {
    const registry = await registryOf({ collections: [options] });
    await expect(registry.seal()).rejects.toMatchObject({ code: 'configuration' });
    await expect(registry.seal()).rejects.toThrow(message);
  });

  it('refuses a name twice, a name of the engine’s own, and anybody who comes late', async () => {
    const registry = await registryOf({ collections: ['tasks'], headsCollection: 'my_heads' });
    expect(() => registry.register({ name: 'tasks' })).toThrow(/tasks: name is registered twice/);
    expect(() => registry.register({ name: 'my_heads', freeForm: true })).toThrow(/engine’s own/);
    expect(() => registry.names()).toThrow(/once the app has started/);
    registry.register({ name: 'notes', freeForm: true, ids: 'scoped' });
    await registry.seal();
    expect(registry.names()).toEqual(['tasks', 'notes']);
    expect(() => registry.register('devices')).toThrow(/comes too late/);
  });

  it('says once what shared ids mean, for collections whose ids people choose', async () => {
    await sealedWith({
      collections: [
        'tasks',
        'settings',
        { name: 'notes', freeForm: true },
        { name: 'drafts', freeForm: true, ids: 'scoped' },
        { name: 'logs', freeForm: true, ids: 'global' },
      ],
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/ids of settings, notes among.*ids: 'scoped'/);
  });
});

describe('ports', () => {
  @Injectable()
  class Roles {
    readonly readers = ['clerk'];
  }
  @Injectable()
  class ByRole extends SyncAuthorizer {
    constructor(private readonly roles: Roles) {
      super();
    }
    authorize(by: SyncIdentity, _: string, action: string): boolean {
      const { roles } = by.user as { roles: string[] };
      return action === 'read' && roles.some((role) => this.roles.readers.includes(role));
    }
  }
  @Injectable()
  class Stamp extends DocumentTransform {
    transform(_: string, data: JsonObject, by: SyncIdentity): JsonObject {
      return { ...data, by: by.actorId };
    }
  }
  @Injectable()
  class Newest extends ConflictResolver {
    resolve(conflict: Conflict): JsonObject | null {
      return conflict.change.data;
    }
  }

  it('are taken from the app’s providers, or made with them', async () => {
    const own: SyncCollectionOptions = {
      name: 'notes',
      freeForm: true,
      ids: 'scoped',
      authorizer: ByRole,
      transform: Stamp,
      resolver: Newest,
      conflict: 'merge',
    };
    for (const providers of [[Roles], [Roles, ByRole, Stamp, Newest]]) {
      const notes = await collection(own, providers);
      expect(await notes.authorize(identity, 'read')).toBe(true);
      expect(await notes.authorize(identity, 'delete')).toBe(false);
      expect(await document(notes.prepare(identity, 'x', { a: 1 }))).toEqual({ a: 1, by: 'ada' });
      expect(notes.rules.strategy).toBe('custom');
      expect(await notes.resolve({ change: { data: { b: 1 } } } as unknown as Conflict)).toEqual({ b: 1 });
    }
  });

  it('that cannot be made, or serve one request only, stop the start', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends ByRole {}
    const options = (authorizer: Type<SyncAuthorizer>) => ({ name: 'tasks', authorizer });
    await expect(collection(options(ByRole))).rejects.toThrow(
      /collection tasks: authorizer: ByRole cannot be made/,
    );
    await expect(collection(options(PerRequest), [Roles, PerRequest])).rejects.toThrow(
      /PerRequest is request-scoped/,
    );
  });

  it('of forRoot serve collections that have none of their own', async () => {
    const registry = await sealedWith({
      authorizer: (_, name) => name === 'tasks',
      collections: ['tasks', 'devices', { name: 'settings', ids: 'global', authorizer: () => true }],
    });
    const readable = await registry.readable(identity, undefined);
    expect(readable.map(({ name }) => name)).toEqual(['tasks', 'settings']);
  });
});

describe('choosing the collections of a read', () => {
  const options: SyncOptions = {
    collections: [
      'tasks',
      { name: 'devices', authorizer: () => false },
      {
        name: 'settings',
        ids: 'global',
        authorizer: () => {
          throw new ForbiddenException('No.');
        },
      },
    ],
  };

  it('gives what was asked once, and all that may be read when nothing was', async () => {
    const registry = await sealedWith(options);
    const names = async (asked?: string[]) =>
      (await registry.readable(identity, asked)).map(({ name }) => name);
    expect(await names()).toEqual(['tasks']);
    expect(await names([])).toEqual(['tasks']);
    expect(await names(['tasks', 'tasks'])).toEqual(['tasks']);
  });

  it('refuses unknown names, and asked ones that may not be read', async () => {
    const registry = await sealedWith(options);
    await expect(registry.readable(identity, ['tasks', 'taks'])).rejects.toMatchObject({
      code: 'unknown_collection',
    });
    await expect(registry.readable(identity, ['tasks', 'devices'])).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(registry.readable(identity, ['settings'])).rejects.toMatchObject({ code: 'forbidden' });
    await expect(registry.readable(identity, ['constructor'])).rejects.toMatchObject({
      code: 'unknown_collection',
    });
  });

  it('lets an authorizer’s other failures through: they are no answer', async () => {
    const registry = await sealedWith({
      collections: [{ name: 'tasks', authorizer: () => Promise.reject(new TypeError('bug')) }],
    });
    await expect(registry.readable(identity, undefined)).rejects.toThrow('bug');
  });
});

describe('data through the database and back', () => {
  const data: JsonObject = {
    title: 'Paint',
    due: '2026-05-02T12:00:00.000Z',
    owner: HEX,
    price: '12.50',
    total: '9223372036854775807',
    photo: 'aGVsbG8=',
    tags: ['a', 'b'],
  };

  it('is the same on the wire before storing and after reading, and what was sent', async () => {
    const tasks = await collection({ name: 'tasks' });
    const made = await document(tasks.prepare(identity, HEX, data));
    const _id = idOf(tasks, HEX);
    await tasks.store.replaceOne({ _id }, { ...made, _sync_version: 'v' }, { upsert: true });
    const read = await tasks.store.findOne({ _id });
    if (!read) throw new Error('not stored');
    expect(encodeDocument(read)).toEqual(encodeDocument(made));
    expect(encodeDocument(read)).toMatchObject(data);
    expect(read.due).toBeInstanceOf(Date);
    expect(read.photo).toBeInstanceOf(mongo.Binary);
    // The app sees its own types.
    const connection = started[0]?.get<Connection>(getConnectionToken());
    const hydrated = await connection?.model('Task').findById(HEX);
    expect(String(hydrated?.get('photo'))).toBe('hello');
  });

  it('from the app’s own document takes the same way', async () => {
    const tasks = await collection({ name: 'tasks' });
    const connection = started[0]?.get<Connection>(getConnectionToken());
    const task = new (connection as Connection).models.Task!({
      title: 'Paint',
      owner: HEX,
      photo: Buffer.from('hello'),
    });
    const made = await document(tasks.cast(HEX, task as unknown as JsonObject));
    expect(encodeDocument(made)).toMatchObject({ title: 'Paint', owner: HEX, photo: 'aGVsbG8=' });
  });

  it('free-form is kept as it came', async () => {
    const notes = await collection({ name: 'notes', freeForm: true, ids: 'scoped' });
    const note = {
      due: '2026-05-02T12:00:00.000Z',
      owner: HEX,
      list: [1, [2, { a: null }]],
      empty: {},
      ratio: 0.1,
    };
    const made = await document(notes.prepare(identity, 'settings', note));
    const _id = idOf(notes, 'settings');
    await notes.store.replaceOne({ _id }, made, { upsert: true });
    const read = await notes.store.findOne({ _id });
    expect(read && encodeDocument(read)).toEqual(note);
    expect(read && notes.ids.toWire(read._id)).toBe('settings');
    expect(notes.ids.toStored('other', 'settings')).not.toBe(_id);
  });

  it('a poisoned document that the app has stored can still be read', async () => {
    const notes = await collection({ name: 'notes', freeForm: true, ids: 'scoped' });
    const poisoned: Record<string, unknown> = {
      ...(JSON.parse('{"inner":{"__proto__":{"admin":true}},"__proto__":{"admin":true}}') as object),
      _id: { odd: new Date(0) },
      nan: NaN,
      infinite: Infinity,
      list: [undefined, { gone: undefined }],
      huge: mongo.Long.MAX_VALUE,
      small: mongo.Long.fromNumber(5),
      stamp: new mongo.Timestamp({ t: 1, i: 2 }),
      regex: /a+/i,
      code: new mongo.Code('f()'),
      least: new mongo.MinKey(),
      symbol: new mongo.BSONSymbol('s'),
      never: new mongo.Long(0x7fffffff, 0x7fffffff),
      reference: new mongo.DBRef('tasks', new mongo.ObjectId(HEX)),
      'a.b': { $x: 1 },
    };
    await notes.store.insertOne(poisoned as OptionalId);
    const read = await notes.store.findOne({ nan: NaN });
    if (!read) throw new Error('not stored');
    const wire = encodeDocument(read);
    expect(JSON.parse(JSON.stringify(wire))).toEqual(wire);
    expect(wire).toMatchObject({
      nan: null,
      infinite: null,
      list: [null, {}],
      huge: '9223372036854775807',
      small: 5,
      stamp: { $timestamp: { t: 1, i: 2 } },
      regex: { $regularExpression: { pattern: 'a+', options: 'i' } },
      reference: { $ref: 'tasks', $id: HEX },
    });
    expect(Object.hasOwn(wire, '__proto__')).toBe(true);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect(notes.ids.toWire(read._id)).toBe('{"odd":"1970-01-01T00:00:00.000Z"}');
  });

  it('refuses the key that would make the driver fail in the middle of a group', async () => {
    const notes = await collection({ name: 'notes', freeForm: true, ids: 'scoped' });
    const bad = { a: { _bsontype: 'ObjectId' } };
    await expect(notes.store.insertOne({ _id: 'bad', ...bad } as unknown as OptionalId)).rejects.toThrow();
    const prepared = await notes.prepare(identity, 'x', bad);
    expect(prepared).toMatchObject({ ok: false, rejection: { code: 'forbidden_key' } });
  });

  it('meets the DTO first and the schema after it', async () => {
    class TaskDto {
      @IsString() title!: string;
      @IsString({ message: 'tells the DTO’s own reason' }) due!: string;
    }
    const tasks = await collection({ name: 'tasks', dto: TaskDto });
    const code = async (given: JsonObject) => {
      const prepared = await tasks.prepare(identity, HEX, given);
      return prepared.ok ? 'ok' : `${prepared.rejection.code} ${prepared.rejection.message}`;
    };
    expect(await code({ title: 'a', due: 5 })).toBe(
      'validation_failed data.due: tells the DTO’s own reason.',
    );
    expect(await code({ title: 'a', due: 'x' })).toMatch(
      /^validation_failed data.due: cannot be taken as date/,
    );
    expect(await code({ title: 'a', due: '2026-05-02', tags: [] })).toMatch(/^unknown_field data.tags/);
    expect(await code({ title: 'a', due: '2026-05-02' })).toBe('ok');
  });

  it('strips what neither the DTO nor the schema knows, when asked to', async () => {
    const tasks = await collection({ name: 'tasks', unknownFields: 'strip' });
    const made = await document(tasks.prepare(identity, HEX, { title: 'a', extra: 1 }));
    expect(Object.keys(made).sort()).toEqual(['createdAt', 'title', 'updatedAt']);
  });

  it('refuses an id of another type than the schema’s', async () => {
    const tasks = await collection({ name: 'tasks' });
    expect(await tasks.prepare(identity, 'abcdefghijkl', data)).toMatchObject({
      ok: false,
      rejection: { code: 'invalid_doc_id' },
    });
  });

  it('logs where a failing transform failed, and nothing of the data', async () => {
    const notes = await collection({
      name: 'notes',
      freeForm: true,
      ids: 'scoped',
      transform: (_, given) => {
        throw new TypeError(`cannot handle ${JSON.stringify(given)}`);
      },
    });
    const prepared = await notes.prepare(identity, 'x', { a: 'secret' });
    expect(prepared).toMatchObject({ ok: false, rejection: { code: 'invalid_data' } });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/Collection notes: .*the transform failed: TypeError\n\s+at /);
    expect(warnings[0]).not.toContain('secret');
  });
});
