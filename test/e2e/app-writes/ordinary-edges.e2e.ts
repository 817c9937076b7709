import type { UpdateQuery } from 'mongoose';
import type { SyncIdentity } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import {
  agreedState,
  pullAll,
  seededItems,
  startWritesApp,
  upsertOf,
  type Item,
  type WritesApp,
} from '../../support/writes-app';

const inc: UpdateQuery<Item> = { $inc: { stock: 10 } };

describe('ordinary calls in sync.transaction', () => {
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

  it('one transaction has one place in the order, with what tx writes, and the last word counts', async () => {
    const who = identity();
    const [id] = await seededItems(running, who);
    await running.sync.transaction(who, async (tx) => {
      await running.items.updateOne({ _id: id }, { $inc: { stock: 1 } }).session(tx.session);
      await tx.patch('items', id, { inc: { stock: 10 } });
      await tx.upsert('notes', 'n', { text: 'counted' });
      await running.items.updateOne({ _id: id }, { $inc: { stock: 100 } }).session(tx.session);
    });
    const told = (await pullAll(running, who)).slice(3);
    expect(told.map(({ data }) => data?.['stock'] ?? data?.['text'])).toEqual([11, 'counted', 111]);
    await running.sync.transaction(who, async (tx) => {
      await running.items.updateOne({ _id: id }, { $inc: { stock: 1000 } }).session(tx.session);
      await tx.delete('items', id);
    });
    expect((await pullAll(running, who)).slice(6)).toMatchObject([{ operation: 'delete' }]);
    await agreedState(running, who);
  });

  it('a document of the app that is deleted and made again is one change, and one that comes and goes is none', async () => {
    const who = identity();
    const [id] = await seededItems(running, who);
    await running.sync.transaction(who, async ({ session }) => {
      await running.items.deleteOne({ _id: id }).session(session);
      await running.items.create([{ _id: id, name: 'again', stock: 5 }], { session });
      const [gone] = await running.items.create([{ name: 'short', stock: 6 }], { session });
      await gone!.deleteOne({ session });
    });
    expect((await pullAll(running, who)).slice(3)).toMatchObject([
      { operation: 'upsert', data: { name: 'again' } },
    ]);
    await agreedState(running, who);
  });

  it('what the app marks as deleted becomes a tombstone, and tombstones stay', async () => {
    const who = identity();
    const [first, second] = await seededItems(running, who);
    await running.sync.transaction(who, (tx) => tx.delete('items', first));
    await running.sync.transaction(who, async ({ session }) => {
      const items = running.connection.collection('items');
      await items.updateOne({ _id: second }, { $set: { _sync_deleted: true } }, { session });
      await items.deleteMany({ _id: { $in: [first] } }, { session });
    });
    expect((await pullAll(running, who)).slice(4)).toMatchObject([
      { operation: 'delete', doc_id: second.toHexString() },
    ]);
    expect(await running.items.collection.findOne({ _id: first })).toMatchObject({ _sync_deleted: true });
    await agreedState(running, who);
  });

  it('a transaction that is tried again records what its last try has done', async () => {
    const who = identity();
    const [id, , third] = await seededItems(running, who);
    let tries = 0;
    await running.sync.transaction(who, async ({ session }) => {
      await running.items.updateOne({ _id: id }, inc).session(session);
      if (++tries > 1) return;
      await running.items.updateOne({ _id: third }, inc).session(session);
      await running.items.create([{ name: 'of the first try' }], { session });
      // Somebody comes first.
      await running.push(who, [upsertOf('notes', 'a', {})]);
    });
    expect(tries).toBeGreaterThan(1);
    const items = (await pullAll(running, who)).slice(3).filter(({ collection }) => collection === 'items');
    expect(items).toMatchObject([{ doc_id: id.toHexString(), data: { stock: 10 } }]);
    await agreedState(running, who);
  });

  it('a joined body records into its own scope, in the transaction of the app too', async () => {
    const [who, other] = [identity(), identity()];
    const [mine] = await seededItems(running, who);
    const [theirs] = await seededItems(running, other);
    await running.connection.transaction(async (session) => {
      await running.sync.transaction(
        who,
        async () => {
          await running.items.updateOne({ _id: mine }, inc).session(session);
          await running.sync.transaction(other, () =>
            running.items
              .updateOne({ _id: theirs }, inc)
              .session(session)
              .then(() => undefined),
          );
          await running.items.create([{ name: 'after', stock: 1 }], { session });
        },
        { session },
      );
    });
    expect((await pullAll(running, who)).slice(3).map(({ data }) => data?.['stock'])).toEqual([10, 1]);
    expect((await pullAll(running, other)).slice(3).map(({ data }) => data?.['stock'])).toEqual([10]);
    await agreedState(running, who);
    await agreedState(running, other);
  });
});
