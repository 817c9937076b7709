import { Types } from 'mongoose';
import { testDatabase } from '../../support/database';
import { until } from '../../support/until';
import {
  agreedState,
  expectOrder,
  pullAll,
  startWritesApp,
  upsertOf,
  type WritesApp,
} from '../../support/writes-app';

describe('sync.transaction', () => {
  const database = testDatabase(__filename);
  let running: WritesApp;
  let count = 0;

  beforeAll(async () => {
    running = await startWritesApp(database.uri);
  });
  afterAll(() => running.close());

  /** Each test has its own scope. */
  function identity() {
    return { scopeId: `scope-${String(++count)}`, actorId: 'clerk' };
  }

  it('writes documents, tombstones and log entries as one, with the four fields', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    const written = await running.sync.transaction(who, async (tx) => {
      const first = await tx.upsert('items', id, { name: 'Tea', stock: 3 });
      const second = await tx.upsert('notes', 'n', { text: 'tea came' });
      const third = await tx.delete('notes', 'n');
      return [first, second, third];
    });
    const stored = await running.items.collection.findOne({ _id: id });
    expect(stored).toMatchObject({
      name: 'Tea',
      stock: 3,
      state: 'new',
      _sync_version: written[0]?.version,
      _sync_actor_id: 'clerk',
      _sync_scope_id: who.scopeId,
      _sync_deleted: false,
    });
    expect(stored?.['createdAt']).toBeInstanceOf(Date);
    const log = await pullAll(running, who);
    expect(log.map(({ version, seq }) => ({ version, seq }))).toEqual(written);
    expect(log[2]).toMatchObject({ operation: 'delete', data: null });
    expectOrder(log);
    expect(Object.keys(await agreedState(running, who))).toEqual([`items ${id.toHexString()}`]);
  });

  it('commits the app own Mongoose writes with its own, and undoes both when the body throws', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    await running.sync.transaction(who, async (tx) => {
      const [item] = await running.items.create([{ _id: id, name: 'Tea', stock: 3 }], {
        session: tx.session,
      });
      await tx.upsert('items', id, item!);
    });
    const before = await agreedState(running, who);
    expect(before[`items ${id.toHexString()}`]).toMatchObject({ name: 'Tea', stock: 3 });
    const head = await running.oplog.readHead(who.scopeId);

    const error = new Error('no tea today');
    await expect(
      running.sync.transaction(who, async (tx) => {
        await running.items.updateOne({ _id: id }, { $inc: { stock: -1 } }, { session: tx.session });
        await tx.upsert('notes', 'order', { item: id });
        throw error;
      }),
    ).rejects.toBe(error);
    expect(await agreedState(running, who)).toEqual(before);
    expect((await running.items.findById(id).lean())?.stock).toBe(3);
    expect(await running.oplog.readHead(who.scopeId)).toEqual(head);
  });

  it('a change that the schema refuses writes nothing, and the transaction can go on', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    await running.sync.transaction(who, async (tx) => {
      await expect(tx.upsert('items', id, { stock: -1 })).rejects.toMatchObject({
        code: 'validation_failed',
      });
      await expect(tx.upsert('items', 'no hex', { name: 'x' })).rejects.toMatchObject({
        code: 'invalid_doc_id',
      });
      await expect(tx.upsert('items', null as never, {})).rejects.toMatchObject({ code: 'invalid_doc_id' });
      await expect(tx.upsert('nowhere', 'a', {})).rejects.toMatchObject({ code: 'unknown_collection' });
      await expect(tx.upsert('notes', 'a', null as never)).rejects.toMatchObject({ code: 'invalid_data' });
      await tx.upsert('notes', 'a', { fine: true });
    });
    expect(await agreedState(running, who)).toEqual({ 'notes a': { fine: true } });
  });

  it('writes only while the document has the version that was asked for', async () => {
    const who = identity();
    const first = await running.sync.transaction(who, (tx) => tx.upsert('notes', 'a', { n: 1 }));
    await running.push(who, [upsertOf('notes', 'other', {})]);
    const second = await running.sync.transaction(who, (tx) =>
      tx.upsert('notes', 'a', { n: 2 }, { ifVersion: first.version }),
    );
    for (const write of ['upsert', 'delete'] as const) {
      const late = running.sync.transaction(who, (tx) =>
        write === 'upsert'
          ? tx.upsert('notes', 'a', { n: 3 }, { ifVersion: first.version })
          : tx.delete('notes', 'a', { ifVersion: first.version }),
      );
      await expect(late).rejects.toMatchObject({ code: 'conflict_stale' });
    }
    const never = running.sync.transaction(who, (tx) =>
      tx.upsert('notes', 'none', { n: 3 }, { ifVersion: first.version }),
    );
    await expect(never).rejects.toMatchObject({ code: 'conflict_stale' });
    await running.sync.transaction(who, (tx) => tx.delete('notes', 'a', { ifVersion: second.version }));
    expect(await agreedState(running, who)).toEqual({ 'notes other': {} });
  });

  it('keeps createdAt and moves updatedAt, as a save of the model would', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    await running.sync.transaction(who, (tx) => tx.upsert('items', id, { name: 'Tea' }));
    const first = await running.items.findById(id).orFail().lean();
    await until(() => Date.now() > first.updatedAt.getTime());
    await running.sync.transaction(who, (tx) => tx.upsert('items', id, { name: 'Green tea' }));
    const second = await running.items.findById(id).orFail().lean();
    expect(second.createdAt).toEqual(first.createdAt);
    expect(second.updatedAt.getTime()).toBeGreaterThan(first.updatedAt.getTime());
    await agreedState(running, who);
  });

  it('answers a taken unique value by name, without the other value, and leaves nothing', async () => {
    const who = identity();
    await running.sync.transaction(who, async (tx) => {
      await tx.upsert('items', new Types.ObjectId(), { name: 'Tea', sku: 'secret-7' });
    });
    const before = await agreedState(running, who);
    const second = running.sync.transaction(who, async (tx) => {
      await tx.upsert('notes', 'a', { n: 1 });
      await tx.upsert('items', new Types.ObjectId(), { name: 'Cup', sku: 'secret-7' });
    });
    await expect(second).rejects.toMatchObject({ code: 'unique_violation' });
    await expect(second).rejects.toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret-7') }),
    );
    expect(await agreedState(running, who)).toEqual(before);
  });

  it('keeps global ids of other scopes out of reach, and scoped ids apart', async () => {
    const [mine, theirs] = [identity(), identity()];
    await running.sync.transaction(mine, async (tx) => {
      await tx.upsert('drafts', 'k', { mine: true });
      await tx.upsert('notes', 'k', { mine: true });
    });
    const foreign = running.sync.transaction(theirs, (tx) => tx.upsert('drafts', 'k', { mine: false }));
    await expect(foreign).rejects.toMatchObject({ code: 'id_unavailable' });
    const gone = running.sync.transaction(theirs, (tx) => tx.delete('drafts', 'k'));
    await expect(gone).rejects.toMatchObject({ code: 'id_unavailable' });
    await running.sync.transaction(theirs, (tx) => tx.upsert('notes', 'k', { mine: false }));
    expect(await agreedState(running, theirs)).toEqual({ 'notes k': { mine: false } });
    expect(await agreedState(running, mine)).toEqual({
      'drafts k': { mine: true },
      'notes k': { mine: true },
    });
  });

  it('takes both ways of the app own writes in one transaction', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    await running.sync.transaction(who, async (tx) => {
      const { session } = tx;
      await tx.upsert('notes', 'first', { n: 1 });
      const metadata = await running.sync.buildSyncMetadata(who, { session });
      await running.items.collection.insertOne({ _id: id, name: 'Tea', ...metadata }, { session });
      const record = { collection: 'items', docId: id, operation: 'upsert', identity: who, session } as const;
      await running.sync.recordServerChange({ ...record, version: metadata._sync_version });
      await tx.upsert('notes', 'last', { n: 2 });
    });
    const log = await pullAll(running, who);
    expect(log.map(({ doc_id }) => doc_id)).toEqual(['first', id.toHexString(), 'last']);
    expectOrder(log);
    await agreedState(running, who);
  });
});
