import type { Types, UpdateQuery } from 'mongoose';
import type { SyncIdentity, SyncTransaction } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import {
  agreedState,
  expectOrder,
  pullAll,
  seededItems,
  startWritesApp,
  type Item,
  type WritesApp,
} from '../../support/writes-app';

type Call = (tx: SyncTransaction, ids: Types.ObjectId[], scope: object) => Promise<unknown>;
const inc: UpdateQuery<Item> = { $inc: { stock: 10 } };

describe('each ordinary call in sync.transaction', () => {
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

  /** What is called, and what of the three items, and of new ones, the log tells then: their stock, null for a tombstone. */
  const calls: [string, Call, (number | null)[]][] = [
    [
      'doc.save',
      async ({ session }, [id]) => {
        const item = await running.items.findById(id).session(session).orFail();
        item.stock = 10;
        await item.save({ session });
      },
      [10],
    ],
    [
      'doc.save of a new one',
      ({ session }) => new running.items({ name: 'new', stock: 7 }).save({ session }),
      [7],
    ],
    [
      'doc.deleteOne',
      async ({ session }, [id]) => {
        const item = await running.items.findById(id).session(session).orFail();
        await item.deleteOne({ session });
      },
      [null],
    ],
    [
      'Model.create',
      ({ session }) =>
        running.items.create(
          [
            { name: 'a', stock: 7 },
            { name: 'b', stock: 8 },
          ],
          { session, ordered: true },
        ),
      [7, 8],
    ],
    [
      'insertMany',
      ({ session }) =>
        running.items.insertMany(
          [
            { name: 'a', stock: 7 },
            { name: 'b', stock: 8 },
          ],
          { session },
        ),
      [7, 8],
    ],
    ['updateOne', ({ session }, [, id]) => running.items.updateOne({ _id: id }, inc).session(session), [11]],
    [
      'updateOne by a filter',
      ({ session }, _, scope) =>
        running.items.updateOne({ ...scope, stock: { $gte: 1 } }, inc).session(session),
      [11],
    ],
    [
      'updateOne, upsert',
      ({ session }, _, scope) =>
        running.items.updateOne(
          { name: 'none', ...scope },
          { $set: { stock: 7 } },
          { upsert: true, session },
        ),
      [7],
    ],
    [
      'updateMany',
      ({ session }, _, scope) =>
        running.items.updateMany({ ...scope, stock: { $gte: 1 } }, inc).session(session),
      [11, 12],
    ],
    [
      'updateMany by a pipeline',
      ({ session }, _, scope) =>
        running.items.updateMany(scope, [{ $set: { stock: { $add: ['$stock', 10] } } }], {
          session,
          updatePipeline: true,
        }),
      [10, 11, 12],
    ],
    [
      'replaceOne',
      ({ session }, [id]) =>
        running.items.replaceOne({ _id: id }, { name: 'other', stock: 7 }).session(session),
      [7],
    ],
    ['deleteOne', ({ session }, [id]) => running.items.deleteOne({ _id: id }).session(session), [null]],
    [
      'deleteMany',
      ({ session }, _, scope) => running.items.deleteMany({ ...scope, stock: { $gte: 1 } }).session(session),
      [null, null],
    ],
    [
      'findOneAndUpdate',
      ({ session }, _, scope) => running.items.findOneAndUpdate(scope, inc, { session, sort: { stock: -1 } }),
      [12],
    ],
    [
      'findOneAndUpdate, upsert',
      ({ session }, _, scope) =>
        running.items.findOneAndUpdate({ name: 'none', ...scope }, { stock: 7 }, { session, upsert: true }),
      [7],
    ],
    ['findByIdAndUpdate', ({ session }, [id]) => running.items.findByIdAndUpdate(id, inc, { session }), [10]],
    [
      'findOneAndReplace',
      ({ session }, [id]) =>
        running.items.findOneAndReplace({ _id: id }, { name: 'other', stock: 7 }, { session }),
      [7],
    ],
    [
      'findOneAndDelete',
      ({ session }, [id]) => running.items.findOneAndDelete({ _id: id }, { session }),
      [null],
    ],
    [
      'bulkWrite',
      ({ session }, [first, second, third], scope) =>
        running.items.bulkWrite(
          [
            { insertOne: { document: { name: 'a', stock: 20 } as Item } },
            { updateOne: { filter: { _id: first }, update: inc } },
            // Only the part before makes the first one match.
            { updateMany: { filter: { ...scope, stock: 10 }, update: inc } },
            { deleteOne: { filter: { _id: second } } },
            { replaceOne: { filter: { _id: third }, replacement: { name: 'c', stock: 7 } as Item } },
            { updateOne: { filter: { name: 'none', ...scope }, update: { stock: 8 }, upsert: true } },
          ],
          { session },
        ),
      [20, 20, null, 7, 8],
    ],
    [
      'bulkSave',
      async ({ session }, ids) => {
        const some = await running.items.find({ _id: { $in: ids } }, null, { session });
        for (const item of some) item.stock += 10;
        await running.items.bulkSave(some, { session });
      },
      [10, 11, 12],
    ],
    [
      'Model.collection',
      ({ session }, [id]) =>
        running.items.collection.updateOne({ _id: id }, { $inc: { stock: 10 } }, { session }),
      [10],
    ],
    [
      'connection.collection',
      ({ session }, [id]) =>
        running.connection.collection('items').updateOne({ _id: id }, { $inc: { stock: 10 } }, { session }),
      [10],
    ],
    [
      'the driver itself',
      ({ session }, [id]) =>
        running.connection
          .getClient()
          .db(database.name)
          .collection('items')
          .updateOne({ _id: id }, { $inc: { stock: 10 } }, { session }),
      [10],
    ],
    [
      'what changes nothing',
      ({ session }, [id]) =>
        running.items.updateOne({ _id: id }, { $set: { stock: 0 } }, { session, timestamps: false }),
      [],
    ],
    [
      'what matches nothing',
      ({ session }) => running.items.updateOne({ name: 'nobody' }, inc).session(session),
      [],
    ],
  ];

  it.each(calls)('%s is recorded', async (_, call, stocks) => {
    const who = identity();
    const ids = await seededItems(running, who);
    await running.sync.transaction(who, (tx) => call(tx, ids, { _id: { $in: ids } }));
    const told = (await pullAll(running, who)).slice(3);
    const byStock = (a: unknown, b: unknown): number => Number(a ?? -1) - Number(b ?? -1);
    expect(told.map(({ data }) => data?.['stock'] ?? null).sort(byStock)).toEqual([...stocks].sort(byStock));
    for (const { operation, data } of told) expect(operation).toBe(data === null ? 'delete' : 'upsert');
    expectOrder(await pullAll(running, who));
    await agreedState(running, who);
  });
});
