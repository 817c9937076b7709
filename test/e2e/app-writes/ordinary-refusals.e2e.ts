import { Types, type UpdateQuery } from 'mongoose';
import type { SyncIdentity, SyncTransaction } from 'nest-offline-sync';
import { MOST_TOUCHED } from '../../../libs/sync/src/app-writes/ordinary-writes';
import { testDatabase } from '../../support/database';
import {
  agreedState,
  pullAll,
  seededItems,
  startWritesApp,
  type Item,
  type WritesApp,
} from '../../support/writes-app';

type Call = (tx: SyncTransaction) => Promise<unknown>;
const inc: UpdateQuery<Item> = { $inc: { stock: 10 } };

describe('ordinary calls that sync.transaction refuses', () => {
  const database = testDatabase(__filename);
  let running: WritesApp;
  let count = 0;

  beforeAll(async () => {
    running = await startWritesApp(database.uri);
  });
  afterAll(() => running.close());

  /** Each test has its own scope. */
  function identity(): SyncIdentity {
    return { scopeId: `scope-${String(++count)}`, actorId: 'clerk' };
  }

  it('documents of other scopes and of none are refused, and nothing of the transaction stays', async () => {
    const [who, other] = [identity(), identity()];
    const [mine] = await seededItems(running, who);
    const [theirs] = await seededItems(running, other);
    const early = { name: 'early', stock: 1 };
    const { insertedId: unknown } = await running.connection.collection('items').insertOne(early);
    const before = await agreedState(running, who);
    const refusal = async (call: Call, code: string, message: RegExp): Promise<void> => {
      const refused = running.sync.transaction(who, async (tx) => {
        await running.items.updateOne({ _id: mine }, inc).session(tx.session);
        await call(tx);
      });
      await expect(refused).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message) as string,
      });
      expect(await agreedState(running, who)).toEqual(before);
    };
    const update =
      (id: Types.ObjectId): Call =>
      ({ session }) =>
        running.items.updateMany({ _id: { $in: [mine, id] } }, inc).session(session);
    await refusal(update(theirs), 'id_unavailable', /not of the transaction's scope/);
    await refusal(update(unknown), 'not_adopted', /adopt/);
    await refusal(
      ({ session }) => running.items.deleteOne({ _id: theirs }).session(session),
      'id_unavailable',
      /scope/,
    );
    const escape: Call = ({ session }) =>
      running.items.collection.updateOne(
        { _id: mine },
        { $set: { _sync_scope_id: other.scopeId } },
        { session },
      );
    await refusal(escape, 'id_unavailable', /scope/);
    const unnamed: Call = ({ session }) =>
      running.connection.collection<{ _id: string }>('notes').insertOne({ _id: 'no scope' }, { session });
    await refusal(unnamed, 'invalid_doc_id', /storedId/);
    await agreedState(running, other);
    expect(await running.items.collection.findOne({ _id: unknown })).toMatchObject({ stock: 1 });
  });

  it('what nobody could record is refused before it is written', async () => {
    const who = identity();
    await seededItems(running, who);
    const db = running.connection.getClient().db(database.name);
    const refused: [string, Call][] = [
      [
        'a command',
        ({ session }) => db.command({ delete: 'items', deletes: [{ q: {}, limit: 0 }] }, { session }),
      ],
      [
        'ids of the server',
        ({ session }) => db.collection('items').insertOne({}, { session, forceServerObjectId: true }),
      ],
      [
        '$merge',
        ({ session }) =>
          running.items.aggregate([{ $match: {} }, { $merge: { into: 'items' } }]).session(session),
      ],
      [
        'a bulk builder',
        ({ session }) => db.collection('items').initializeOrderedBulkOp({ session }).insert({}).execute(),
      ],
    ];
    for (const [name, call] of refused) {
      const tried = running.sync.transaction(who, (tx) => call(tx));
      await expect(tried.then(() => name)).rejects.toMatchObject({ code: 'unrecorded_write' });
    }
    expect(await pullAll(running, who)).toHaveLength(3);
    await agreedState(running, who);
  });

  it('more documents than one transaction may touch are refused, and none is written', async () => {
    const who = identity();
    const row = {
      _sync_scope_id: who.scopeId,
      _sync_version: '20260101T000000.000Z-0000-x',
      _sync_deleted: false,
    };
    const many = Array.from({ length: MOST_TOUCHED + 1 }, (_, n) => ({
      ...row,
      _id: `${who.scopeId}-${String(n)}`,
    }));
    const drafts = running.oplog.db.collection<{ _id: string; read?: boolean }>('drafts');
    await drafts.insertMany(many);
    const { connection } = running;
    const update: Call = ({ session }) =>
      connection
        .collection('drafts')
        .updateMany({ _sync_scope_id: who.scopeId }, { $set: { read: true } }, { session });
    const tried = running.sync.transaction(who, (tx) => update(tx));
    await expect(tried).rejects.toMatchObject({ code: 'too_many_changes', limit: MOST_TOUCHED });
    expect(await drafts.countDocuments({ read: true })).toBe(0);
  });

  it('a write that the database refuses ends the transaction at once, also when its error is caught', async () => {
    const who = identity();
    const [id] = await seededItems(running, who);
    const before = await agreedState(running, who);
    const tried = running.sync.transaction(who, async ({ session }) => {
      await running.items.updateOne({ _id: id }, inc).session(session);
      await running.items.create([{ _id: id, name: 'twice' }], { session }).catch(() => undefined);
    });
    await expect(tried).rejects.toMatchObject({ code: 11000 });
    expect(await agreedState(running, who)).toEqual(before);
  });

  it('a call that is not awaited fails the transaction', async () => {
    const who = identity();
    const [id] = await seededItems(running, who);
    const before = await agreedState(running, who);
    const tried = running.sync.transaction(who, async ({ session }) => {
      void running.items.collection
        .updateOne({ _id: id }, { $inc: { stock: 10 } }, { session })
        .catch(() => undefined);
      return Promise.resolve();
    });
    await expect(tried).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(/await/) as string,
    });
    expect(await agreedState(running, who)).toEqual(before);
  });
});
