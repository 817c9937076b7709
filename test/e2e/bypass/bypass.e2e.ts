import { Logger } from '@nestjs/common';
import mongoose, { Schema, Types, type Connection, type mongo } from 'mongoose';
import { SyncAdminService, type SyncOptions } from 'nest-offline-sync';
import { markOurs } from '../../../libs/sync/src/database/engine-handles';
import { testDatabase } from '../../support/database';
import { agreedState, pullAll, startWritesApp, upsertOf, type WritesApp } from '../../support/writes-app';

const who = { scopeId: 'shop', actorId: 'clerk' };

let running: WritesApp;
let warned: string[] = [];

beforeEach(() => {
  warned = [];
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((...given: unknown[]) => {
    const [text] = given;
    if (typeof text === 'string' && text.includes('past the sync log')) warned.push(text);
  });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await running.close();
});

async function start(name: string, options: Partial<SyncOptions> = {}): Promise<WritesApp> {
  running = await startWritesApp(testDatabase(`${name}.e2e.ts`).uri, options);
  return running;
}

/** A collection as the engine has it. */
function unheard({ connection }: WritesApp, name: string): mongo.Collection {
  return markOurs(connection.db!.collection(name));
}

/** Each way by which an app's process writes a synced collection without the engine. */
const WAYS: [string, string, (app: WritesApp) => Promise<unknown>][] = [
  ['doc.save', 'insertOne', ({ items }) => new items({ name: 'a' }).save()],
  ['Model.create', 'insertOne', ({ items }) => items.create([{ name: 'a' }, { name: 'b' }])],
  ['insertMany', 'insertMany', ({ items }) => items.insertMany([{ name: 'a' }])],
  ['updateOne', 'updateOne', ({ items }) => items.updateOne({}, { stock: 1 })],
  ['updateMany', 'updateMany', ({ items }) => items.updateMany({}, { stock: 1 }).exec()],
  ['replaceOne', 'replaceOne', ({ items }) => items.replaceOne({}, { name: 'a' })],
  ['findOneAndUpdate', 'findOneAndUpdate', ({ items }) => items.findOneAndUpdate({}, { stock: 1 })],
  ['findOneAndReplace', 'findOneAndReplace', ({ items }) => items.findOneAndReplace({}, { name: 'a' })],
  ['findOneAndDelete', 'findOneAndDelete', ({ items }) => items.findOneAndDelete({})],
  ['deleteOne', 'deleteOne', ({ items }) => items.deleteOne({})],
  ['deleteMany', 'deleteMany', ({ items }) => items.deleteMany({})],
  ['bulkWrite', 'bulkWrite', ({ items }) => items.bulkWrite([{ deleteMany: { filter: {} } }])],
  ['bulkSave', 'bulkWrite', ({ items }) => items.bulkSave([new items({ name: 'a' })])],
  ['$merge', 'aggregate', ({ items }) => items.aggregate([{ $match: {} }, { $merge: { into: 'items' } }])],
  [
    '$out',
    'aggregate',
    ({ connection }) =>
      connection
        .collection('staged')
        .aggregate([{ $out: 'drafts' }])
        .toArray(),
  ],
  ['Model.collection', 'insertOne', ({ items }) => items.collection.insertOne({ name: 'a' })],
  ['connection.collection', 'insertOne', ({ connection }) => connection.collection('drafts').insertOne({})],
  ['connection.db', 'insertMany', ({ connection }) => connection.db!.collection('drafts').insertMany([{}])],
  [
    'a command',
    'command insert',
    ({ connection }) => connection.db!.command({ insert: 'drafts', documents: [{}] }),
  ],
  [
    'a bulk builder',
    'initializeUnorderedBulkOp',
    async ({ connection }) => {
      const bulk = connection.db!.collection('drafts').initializeUnorderedBulkOp();
      await bulk.insert({}).execute();
    },
  ],
  [
    'a model compiled later',
    'insertOne',
    ({ connection }) =>
      (
        connection.models['Late'] ?? connection.model('Late', new Schema({}, { collection: 'drafts' }))
      ).create({}),
  ],
  [
    'another connection',
    'insertOne',
    ({ connection }) => elsewhere(connection, (other) => other.collection('drafts').insertOne({})),
  ],
];

async function elsewhere(
  connection: Connection,
  write: (other: Connection) => Promise<unknown>,
): Promise<void> {
  const [host] = connection.getClient().options.hosts;
  const other = await mongoose
    .createConnection(`mongodb://${String(host)}/${connection.name}?directConnection=true`)
    .asPromise();
  try {
    await write(other);
  } finally {
    await other.close();
  }
}

describe('a write that goes past the log', () => {
  it('is noticed by whatever way it comes, once for each place in the code, without its data', async () => {
    const app = await start('noticed');
    for (const round of [1, 2])
      for (const [way, method, write] of WAYS) {
        const before = warned.length;
        await write(app);
        const told = warned.slice(before);
        expect({ way, round, told: told.length }).toEqual({ way, round, told: round === 1 ? 1 : 0 });
        if (round === 1)
          expect(told[0]).toMatch(
            new RegExp(`^Collection (items|drafts): ${method} \\(test.e2e.bypass.bypass\\.e2e\\.ts:\\d+\\)`),
          );
      }
    expect(await pullAll(app, who)).toEqual([]);
  });

  it('is refused before anything is written, where the app says so', async () => {
    const app = await start('refused', { bypass: 'error' });
    const items = unheard(app, 'items');
    const _id = new Types.ObjectId();
    await items.insertOne({ _id, name: 'there', stock: 5 });
    const before = await items.find().toArray();
    for (const [way, , write] of WAYS) {
      const refused = (async () => (await write(app), way))();
      await expect(refused).rejects.toMatchObject({
        code: 'unrecorded_write',
        message: expect.stringMatching(/bypass\.e2e\.ts:\d+/) as string,
      });
    }
    expect(await items.find().toArray()).toEqual(before);
    expect(await app.oplog.db.collection('drafts').countDocuments()).toBe(0);
    expect(warned).toEqual([]);
  });

  it('is no matter where it is switched off, for one collection or all, or captured', async () => {
    const app = await start('off', {
      collections: [
        { name: 'notes', freeForm: true, ids: 'scoped' },
        { name: 'drafts', freeForm: true, ids: 'global', capture: true },
        { name: 'items', bypass: 'off' },
      ],
      bypass: 'error',
    });
    await app.items.create({ name: 'a' });
    await app.connection.collection('drafts').insertOne({});
    await app.connection.collection('elsewhere').insertOne({});
    await expect(app.connection.collection('notes').insertOne({})).rejects.toMatchObject({
      code: 'unrecorded_write',
    });
    expect(warned).toEqual([]);
  });

  it('is noticed in a body of sync.transaction that forgets the session', async () => {
    const app = await start('forgotten');
    await app.sync.transaction(who, async () => {
      await app.items.create({ name: 'a' });
    });
    expect(warned).toEqual([expect.stringMatching(/Give the call the session of the sync.transaction/)]);
  });

  it('is no news where the engine writes, or the app records it', async () => {
    const app = await start('recorded', { bypass: 'error' });
    const { sync, connection, items } = app;
    const id = new Types.ObjectId();
    await app.push(who, [
      upsertOf('items', id.toHexString(), { name: 'a' }),
      upsertOf('notes', 'n', { n: 1 }),
    ]);
    await sync.transaction(who, (tx) => tx.delete('notes', 'n'));
    await unheard(app, 'drafts').insertMany([
      { _id: 'a', shop: 'shop' } as never,
      { _id: 'b', shop: 'shop' } as never,
    ]);
    await app.app.get(SyncAdminService).adopt({ collection: 'drafts', scopeField: 'shop', log: true });
    // In a transaction of its own, the app records the change after it, or before.
    await connection.transaction(
      async (session) => {
        await items.updateOne({ _id: id }, { $inc: { stock: 1 } }).session(session);
        await sync.recordServerChange({
          collection: 'items',
          docId: id,
          operation: 'upsert',
          identity: who,
          session,
        });
      },
      { writeConcern: { w: 'majority' } },
    );
    // Without one, the version that it has asked for says that it will.
    const metadata = await sync.buildSyncMetadata(who);
    const other = new Types.ObjectId();
    await items.collection.insertOne({ _id: other, name: 'b', stock: 1, ...metadata });
    const version = metadata._sync_version;
    await sync.recordServerChange({
      collection: 'items',
      docId: other,
      operation: 'upsert',
      identity: who,
      version,
    });
    await sync.transaction(who, (tx) =>
      items.updateOne({ _id: id }, { $inc: { stock: 1 } }).session(tx.session),
    );
    expect(warned).toEqual([]);
    expect(Object.keys(await agreedState(app, who))).toHaveLength(4);
  });

  it('in a transaction of the app is judged at its commit: told, or taken back', async () => {
    const warning = await start('transaction');
    await warning.connection.transaction(async (session) => {
      await warning.items.create([{ name: 'a' }], { session });
      expect(warned).toEqual([]);
    });
    expect(warned).toHaveLength(1);
    await warning.connection
      .transaction(async (session) => {
        await warning.items.updateOne({}, { stock: 1 }, { session });
        throw new Error('never mind');
      })
      .catch(() => undefined);
    expect(warned).toHaveLength(1);
    await warning.close();

    const app = await start('transaction2', { bypass: 'error' });
    const tried = app.connection.transaction(async (session) => {
      await app.connection.collection('elsewhere').insertOne({}, { session });
      await app.items.create([{ name: 'a' }], { session });
    });
    await expect(tried).rejects.toMatchObject({ code: 'unrecorded_write' });
    expect(await app.items.countDocuments()).toBe(0);
    expect(await app.connection.collection('elsewhere').countDocuments()).toBe(0);
  });
});
