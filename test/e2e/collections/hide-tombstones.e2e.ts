import mongoose, { Schema, type Model, type Types } from 'mongoose';
import { hideTombstones, SYNC_FIELDS } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { agreedState, startWritesApp } from '../../support/writes-app';

interface Item {
  _id: number;
  name?: string;
  kind?: string;
  place?: { type: 'Point'; coordinates: number[] };
}
interface Basket {
  _id: Types.ObjectId;
  items: number[];
}

const LIVE = [1, 2];

describe.each([{ strictQuery: false }, { strictQuery: true }])('hideTombstones, %j', (options) => {
  const database = testDatabase(__filename);
  let connection: mongoose.Connection;
  let items: Model<Item>;
  let baskets: Model<Basket>;

  beforeAll(async () => {
    connection = await mongoose.createConnection(database.uri).asPromise();
    const schema = new Schema<Item>({ _id: Number, name: String, kind: String, place: {} as never }, options);
    schema.index({ place: '2dsphere' });
    schema.index({ name: 'text' });
    schema.plugin(hideTombstones);
    items = connection.model<Item>('Item', schema);
    baskets = connection.model<Basket>(
      'Basket',
      new Schema<Basket>({ items: [{ type: Number, ref: 'Item' }] }),
    );
    await items.init();
  });
  beforeEach(async () => {
    await items.collection.deleteMany({});
    const place = { type: 'Point', coordinates: [1, 2] };
    await items.collection.insertMany([
      { _id: 1, name: 'tea', kind: 'a', place, [SYNC_FIELDS.deleted]: false },
      { _id: 2, name: 'cup', kind: 'b', place },
      { _id: 3, name: 'gone tea', kind: 'c', place, [SYNC_FIELDS.deleted]: true },
    ] as never);
  });
  afterAll(() => connection.close());

  const ids = (rows: readonly { _id: unknown }[]) => rows.map(({ _id }) => _id).sort();

  it('reads of the app meet living documents only', async () => {
    expect(ids(await items.find())).toEqual(LIVE);
    expect(ids(await items.find({ $or: [{ kind: 'c' }, { kind: 'a' }] }).lean())).toEqual([1]);
    const walked: Item[] = [];
    for await (const item of items.find().cursor()) walked.push(item);
    expect(ids(walked)).toEqual(LIVE);
    expect(await items.findById(3)).toBeNull();
    expect(await items.findOne({ kind: 'c' })).toBeNull();
    expect(await items.exists({ _id: 3 })).toBeNull();
    expect(await items.countDocuments()).toBe(2);
    expect((await items.distinct('kind')).sort()).toEqual(['a', 'b']);
    const basket = await baskets.create({ items: [1, 3] });
    expect(ids((await basket.populate<{ items: Item[] }>('items')).items)).toEqual([1]);
  });

  it('updates and deletions of the app leave tombstones as they are', async () => {
    expect((await items.updateMany({}, { kind: 'z' })).matchedCount).toBe(2);
    expect((await items.updateOne({ _id: 3 }, { kind: 'z' })).matchedCount).toBe(0);
    expect(await items.findOneAndUpdate({ _id: 3 }, { kind: 'z' })).toBeNull();
    expect(await items.findByIdAndDelete(3)).toBeNull();
    await expect(items.updateOne({ _id: 3 }, { kind: 'z' }, { upsert: true })).rejects.toThrow(/E11000/);
    expect((await items.deleteMany({})).deletedCount).toBe(2);
    expect(ids(await items.collection.find().toArray())).toEqual([3]);
    expect((await items.collection.findOne())?.kind).toBe('c');
  });

  it('a living document is still saved, updated and deleted by its own methods', async () => {
    const item = (await items.findById(1))!;
    item.name = 'green tea';
    await item.save();
    await item.updateOne({ kind: 'y' });
    expect(await items.findById(1).lean()).toMatchObject({ name: 'green tea', kind: 'y' });
    await item.deleteOne();
    expect(ids(await items.find())).toEqual([2]);
  });

  it('who asks for tombstones gets them', async () => {
    expect(ids(await items.find().setOptions({ withTombstones: true }))).toEqual([1, 2, 3]);
    expect(ids(await items.find({ _sync_deleted: true } as never))).toEqual([3]);
    expect(ids(await items.find({ $and: [{ kind: 'c' }, { _sync_deleted: true }] } as never))).toEqual([3]);
    expect(await items.countDocuments({}, { withTombstones: true })).toBe(3);
    expect(ids(await items.aggregate([{ $sort: { _id: 1 } }], { withTombstones: true }))).toEqual([1, 2, 3]);
    expect(ids(await items.aggregate([{ $match: { _sync_deleted: true } }]))).toEqual([3]);
  });

  it('aggregations start from living documents, also behind stages that must come first', async () => {
    const near = {
      near: { type: 'Point' as const, coordinates: [1, 2] as [number, number] },
      distanceField: 'd',
    };
    expect(ids(await items.aggregate([{ $sort: { _id: 1 } }]))).toEqual(LIVE);
    const walked: Item[] = [];
    for await (const item of items.aggregate<Item>([{ $sort: { _id: 1 } }]).cursor()) walked.push(item);
    expect(ids(walked)).toEqual(LIVE);
    expect(ids(await items.aggregate([{ $match: { kind: { $in: ['a', 'c'] } } }]))).toEqual([1]);
    expect(ids(await items.aggregate([{ $match: { $text: { $search: 'tea' } } }]))).toEqual([1]);
    expect(ids(await items.aggregate([{ $geoNear: near }]))).toEqual(LIVE);
    expect(await items.aggregate([{ $count: 'n' }])).toEqual([{ n: 2 }]);
    expect(await items.aggregate([{ $indexStats: {} }])).toHaveLength(3);
  });
});

it('hides what devices and the app have deleted from a synced model, and nothing from the log', async () => {
  const running = await startWritesApp(testDatabase(__filename).uri, {}, {}, (schema) => {
    schema.plugin(hideTombstones);
  });
  try {
    const who = { scopeId: 'shop', actorId: 'clerk' };
    const [kept, gone] = [new mongoose.Types.ObjectId(), new mongoose.Types.ObjectId()];
    await running.sync.transaction(who, async (tx) => {
      await tx.upsert('items', kept, { name: 'Tea' });
      await running.items.create([{ _id: gone, name: 'Cup' }], { session: tx.session });
      await tx.upsert('items', gone, { name: 'Cup', stock: 1 });
    });
    const doc_id = gone.toHexString();
    const { results } = await running.push(who, [
      {
        collection: 'items',
        operation: 'delete',
        doc_id,
        parent_version: ((await running.items.findById(gone).lean()) as { _sync_version?: string } | null)
          ?._sync_version,
      },
    ]);
    expect(results[0]?.status).toBe('accepted');
    expect((await running.items.find()).map(({ id }) => id)).toEqual([kept.toHexString()]);
    expect(await running.items.countDocuments({}, { withTombstones: true })).toBe(2);
    expect(Object.keys(await agreedState(running, who))).toEqual([`items ${kept.toHexString()}`]);
    await running.sync.transaction(who, (tx) => tx.upsert('items', gone, { name: 'Cup again' }));
    expect(await running.items.findById(gone)).toMatchObject({ name: 'Cup again', stock: 0 });
  } finally {
    await running.close();
  }
});
