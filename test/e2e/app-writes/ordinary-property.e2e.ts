import fc from 'fast-check';
import { Types } from 'mongoose';
import type { SyncIdentity, SyncTransaction } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { runs } from '../../support/runs';
import { agreedState, expectOrder, pullAll, startWritesApp, type WritesApp } from '../../support/writes-app';

describe('random ordinary calls in sync.transaction', () => {
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

  type Step =
    | { kind: 'create' | 'remake'; at: number; stock: number }
    | { kind: 'set' | 'replace' | 'upsert' | 'patch'; at: number; stock: number }
    | { kind: 'many' | 'deleteMany'; stock: number }
    | { kind: 'delete' | 'save'; at: number; stock: number };
  const at = fc.nat({ max: 4 });
  const stock = fc.nat({ max: 3 });
  const kinds = ['create', 'remake', 'set', 'replace', 'upsert', 'patch', 'delete', 'save'] as const;
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom(...kinds), at, stock }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom('many' as const, 'deleteMany' as const), stock }),
    },
  );

  it('log, full resync and collection agree, whatever calls are made', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 4 }), async (transactions) => {
        const who = identity();
        const ids = Array.from({ length: 5 }, () => new Types.ObjectId());
        for (const steps of transactions)
          await running.sync
            .transaction(who, async (tx) => {
              for (const one of steps) await perform(tx, one, ids);
            })
            // An id that has a tombstone cannot be inserted by other code.
            .catch((error: unknown) => expect(error).toMatchObject({ code: 11000 }));
        expectOrder(await pullAll(running, who));
        await agreedState(running, who);
      }),
      runs(60),
    );
  });

  async function perform(tx: SyncTransaction, one: Step, ids: Types.ObjectId[]): Promise<void> {
    const { session } = tx;
    const { items } = running;
    const id = 'at' in one ? ids[one.at]! : ids[0]!;
    const { stock: amount } = one;
    const existing = { _id: id, _sync_deleted: { $ne: true } };
    switch (one.kind) {
      case 'create':
        if (!(await items.exists({ _id: id }).session(session)))
          await items.create([{ _id: id, name: 'x', stock: amount }], { session });
        return;
      case 'remake':
        await items.collection.deleteOne(existing, { session });
        await items.collection.insertOne({ _id: id, name: 'y', stock: amount }, { session });
        return;
      case 'set':
        await items.updateOne({ _id: id }, { $set: { stock: amount } }, { session });
        return;
      case 'replace':
        await items.replaceOne({ _id: id }, { name: 'r', stock: amount }, { session });
        return;
      case 'upsert':
        await tx.upsert('items', id, { name: 'u', stock: amount });
        return;
      case 'patch':
        await tx.patch('items', id, { inc: { stock: amount } }).catch(() => undefined);
        return;
      case 'delete':
        await items.deleteOne({ _id: id }).session(session);
        return;
      case 'save': {
        const item = await items.findOne(existing).session(session);
        if (!item) return;
        item.stock = amount;
        await item.save({ session });
        return;
      }
      case 'many':
        await items.updateMany(
          { _id: { $in: ids }, stock: { $gte: amount } },
          { $inc: { stock: 10 } },
          { session },
        );
        return;
      case 'deleteMany':
        await items.deleteMany({ _id: { $in: ids }, stock: amount }, { session });
    }
  }
});
