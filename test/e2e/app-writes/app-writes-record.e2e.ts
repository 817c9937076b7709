import { Types } from 'mongoose';
import type { ServerChangeRecord, SyncIdentity } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { agreedState, pullAll, startWritesApp, type WritesApp } from '../../support/writes-app';

describe('recordServerChange', () => {
  const database = testDatabase(__filename);
  let running: WritesApp;
  let count = 0;

  beforeAll(async () => {
    running = await startWritesApp(database.uri);
  });
  afterAll(() => running.close());

  function identity(): SyncIdentity {
    return { scopeId: `scope-${String(++count)}`, actorId: 'clerk' };
  }

  function record(
    identity: SyncIdentity,
    docId: Types.ObjectId,
    more: Partial<ServerChangeRecord> = {},
  ): Promise<{ version: string; seq: number }> {
    return running.sync.recordServerChange({
      collection: 'items',
      docId,
      operation: 'upsert',
      identity,
      ...more,
    });
  }

  function stored(id: Types.ObjectId) {
    return running.items.collection.findOne({ _id: id });
  }

  it('gives a document that the app model saved its four fields and a log entry', async () => {
    const who = identity();
    const item = await running.items.create({ name: 'Tea', stock: 2 });
    const { version, seq } = await record(who, item._id, { data: item });
    expect(seq).toBe(1);
    expect(await stored(item._id)).toEqual({
      ...item.toObject(),
      _sync_version: version,
      _sync_actor_id: 'clerk',
      _sync_scope_id: who.scopeId,
      _sync_deleted: false,
    });
    expect(await agreedState(running, who)).toEqual({
      [`items ${item.id}`]: JSON.parse(
        JSON.stringify(item, (key, value) => (key === '_id' || key === '__v' ? undefined : value)),
      ),
    });
  });

  it.each(['connection.transaction', 'session.withTransaction'] as const)(
    'in a %s: document, stock and entry together, or none of them',
    async (way) => {
      const who = identity();
      const place = async (fail: boolean): Promise<Types.ObjectId> => {
        const id = new Types.ObjectId();
        await inTransaction(running, way, async (session) => {
          const metadata = await running.sync.buildSyncMetadata(who, { session });
          // The schema knows no _sync_* fields: Mongoose drops them here.
          await running.items.create([{ _id: id, name: 'Order', ...metadata }], { session });
          await record(who, id, { session, version: metadata._sync_version });
          if (fail) throw new Error('no');
        });
        return id;
      };
      const id = await place(false);
      const head = await running.oplog.readHead(who.scopeId);
      expect(head?.seq).toBe(1);
      const before = await agreedState(running, who);
      expect(before[`items ${id.toHexString()}`]).toMatchObject({ name: 'Order', state: 'new' });

      const items = await running.items.countDocuments();
      await expect(place(true)).rejects.toThrow('no');
      expect(await running.items.countDocuments()).toBe(items);
      expect(await agreedState(running, who)).toEqual(before);
      expect(await running.oplog.readHead(who.scopeId)).toEqual(head);
    },
  );

  it('keeps a document that was stored with the four fields as it is', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    const metadata = await running.sync.buildSyncMetadata(who);
    const at = new Date('2026-01-02T03:04:05.678Z');
    await running.items.collection.insertOne({ _id: id, name: 'Tea', at, ...metadata });
    await record(who, id, { version: metadata._sync_version });
    expect(await stored(id)).toEqual({ _id: id, name: 'Tea', at, ...metadata });
    const [entry] = await pullAll(running, who);
    expect(entry).toMatchObject({
      version: metadata._sync_version,
      data: { name: 'Tea', at: at.toISOString() },
    });
  });

  it('leaves fields alone that were not given: no default, no other type, no time stamp over them', async () => {
    const who = identity();
    const item = await running.items.create({ name: 'Tea', stock: 2, state: 'sold' });
    const legacy = Buffer.from([1, 2, 3]);
    await running.items.collection.updateOne({ _id: item._id }, { $set: { legacy } });
    await record(who, item._id, { data: { stock: 1 } });
    const after = await stored(item._id);
    expect(after).toMatchObject({ name: 'Tea', stock: 1, state: 'sold', updatedAt: item.updatedAt });
    expect(after?.['legacy']).toMatchObject({ sub_type: 0 });
    await expect(record(who, item._id, { data: { stock: -1 } })).rejects.toMatchObject({
      code: 'validation_failed',
    });
    await agreedState(running, who);
  });

  it.each([
    ['removed it', (id: Types.ObjectId) => running.items.deleteOne({ _id: id })],
    [
      'marked it as deleted',
      (id: Types.ObjectId) =>
        running.items.collection.updateOne({ _id: id }, { $set: { _sync_deleted: true } }),
    ],
    ['left it as it was', () => Promise.resolve()],
  ])('a deletion leaves a tombstone and an entry when the app %s', async (_, removeIt) => {
    const who = identity();
    const item = await running.items.create({ name: 'Tea' });
    await record(who, item._id);
    await removeIt(item._id);
    const { version } = await record(who, item._id, { operation: 'delete' });
    expect(await stored(item._id)).toEqual({
      _id: item._id,
      _sync_version: version,
      _sync_actor_id: 'clerk',
      _sync_scope_id: who.scopeId,
      _sync_deleted: true,
    });
    expect((await pullAll(running, who)).map(({ operation }) => operation)).toEqual(['upsert', 'delete']);
    expect(await agreedState(running, who)).toEqual({});

    await expect(record(who, item._id)).rejects.toMatchObject({ code: 'invalid_data' });
    await record(who, item._id, { data: { name: 'Back again' } });
    expect(await agreedState(running, who)).toMatchObject({ [`items ${item.id}`]: { name: 'Back again' } });
  });

  it('writes the document itself when the app has only the data, also with ids of its scope', async () => {
    const who = identity();
    await record(who, new Types.ObjectId(), { data: { name: 'Tea' } });
    await running.sync.recordServerChange({
      collection: 'notes',
      docId: 'settings',
      operation: 'upsert',
      data: { on: new Date(0) },
      identity: who,
    });
    const id = running.sync.storedId('notes', who.scopeId, 'settings');
    const note = await running.oplog.db.collection('notes').findOne({ _id: id as never });
    expect(note).toMatchObject({ on: new Date(0), _sync_scope_id: who.scopeId });
    expect(Object.keys(await agreedState(running, who))).toHaveLength(2);
  });

  it('a refused record makes no document the scope own, also when the refusal is swallowed', async () => {
    const who = identity();
    const item = await running.items.create({ name: 'Tea' });
    await running.sync.transaction(who, async ({ session }) => {
      const refused = record(who, item._id, { data: { stock: -1 }, session });
      await expect(refused).rejects.toMatchObject({ code: 'validation_failed' });
    });
    expect(await stored(item._id)).toEqual(item.toObject());
    expect(await agreedState(running, who)).toEqual({});
  });

  it('never touches a document of another scope, and reveals nothing about it', async () => {
    const [mine, theirs] = [identity(), identity()];
    const item = await running.items.create({ name: 'Mine' });
    await record(mine, item._id);
    for (const more of [{ data: { name: 'Theirs' } }, {}, { operation: 'delete' as const }])
      await expect(record(theirs, item._id, more)).rejects.toMatchObject({ code: 'id_unavailable' });
    expect(await stored(item._id)).toMatchObject({ name: 'Mine', _sync_scope_id: mine.scopeId });
    expect(await pullAll(running, theirs)).toEqual([]);
  });
});

function inTransaction(
  { connection }: WritesApp,
  way: 'connection.transaction' | 'session.withTransaction',
  body: (session: Parameters<Parameters<WritesApp['connection']['transaction']>[0]>[0]) => Promise<void>,
): Promise<unknown> {
  if (way === 'connection.transaction') return connection.transaction(body);
  return connection
    .getClient()
    .withSession((session) => session.withTransaction(() => body(session as never)));
}
