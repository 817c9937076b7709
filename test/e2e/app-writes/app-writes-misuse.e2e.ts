import { Types } from 'mongoose';
import type { SyncTransaction } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { agreedState, pass, startWritesApp, upsertOf, type WritesApp } from '../../support/writes-app';

describe('sync.transaction, used in a wrong way', () => {
  const database = testDatabase(__filename);
  let running: WritesApp;
  let count = 0;

  beforeAll(async () => {
    running = await startWritesApp(database.uri, { retryDeadlineMs: 3000 });
  });
  afterAll(() => running.close());

  function identity() {
    return { scopeId: `scope-${String(++count)}`, actorId: 'clerk' };
  }

  it('a call that was not awaited fails the transaction and slips into no other', async () => {
    const who = identity();
    const forgetful = running.sync.transaction(who, async (tx) => {
      await tx.upsert('notes', 'awaited', { n: 1 });
      void tx.upsert('notes', 'forgotten', { n: 2 });
    });
    await expect(forgetful).rejects.toMatchObject({ code: 'configuration' });
    await running.sync.transaction(who, (tx) => tx.upsert('notes', 'next', { n: 3 }));
    expect(await agreedState(running, who)).toEqual({ 'notes next': { n: 3 } });
  });

  it('calls started concurrently run one after another', async () => {
    const who = identity();
    await running.sync.transaction(who, (tx) =>
      Promise.all([1, 2, 3, 4].map((n) => tx.upsert('notes', `n${String(n)}`, { n }))),
    );
    expect(Object.keys(await agreedState(running, who))).toHaveLength(4);
  });

  it('a transaction that is over takes no more', async () => {
    const who = identity();
    let kept: SyncTransaction | undefined;
    await running.sync.transaction(who, async (tx) => {
      kept = tx;
      await tx.upsert('notes', 'in', {});
    });
    await expect(running.items.create([{ name: 'late' }], { session: kept!.session })).rejects.toThrow(
      /session/,
    );
    await expect(kept!.upsert('notes', 'late', {})).rejects.toMatchObject({ code: 'configuration' });
    expect(await agreedState(running, who)).toEqual({ 'notes in': {} });
  });

  it('an error of the body comes out also while another call is under way, and nothing stays', async () => {
    const who = identity();
    const failing = running.sync.transaction(who, async (tx) => {
      await tx.upsert('notes', 'a', {});
      await Promise.all([
        tx.upsert('notes', 'b', {}),
        tx.upsert('nowhere', 'c', {}),
        tx.upsert('notes', 'd', {}),
      ]);
    });
    await expect(failing).rejects.toMatchObject({ code: 'unknown_collection' });
    expect(await agreedState(running, who)).toEqual({});
  });

  it('an error that ended the transaction comes out although the body went on', async () => {
    const who = identity();
    const sku = 'taken';
    await running.sync.transaction(who, (tx) =>
      tx.upsert('items', new Types.ObjectId(), { name: 'Tea', sku }),
    );
    let runs = 0;
    const swallowing = running.sync.transaction(who, async (tx) => {
      runs++;
      await tx.upsert('items', new Types.ObjectId(), { name: 'Cup', sku }).catch(() => undefined);
      await tx.upsert('notes', 'after', {}).catch(() => undefined);
      await running.items.findOne().session(tx.session);
    });
    await expect(swallowing).rejects.toMatchObject({ code: 'unique_violation' });
    expect(runs).toBe(1);
    const renamed = running.sync.transaction(who, async (tx) => {
      try {
        await tx.upsert('items', new Types.ObjectId(), { name: 'Cup', sku });
      } catch (error) {
        throw new Error('choose another sku', { cause: error });
      }
    });
    await expect(renamed).rejects.toThrow('choose another sku');
  });

  it('runs again after a conflict that the body swallowed or wrapped', async () => {
    const who = identity();
    await running.push(who, [upsertOf('notes', 'a', { n: 0 })]);
    let runs = 0;
    await running.sync.transaction(who, async (tx) => {
      await running.items.findOne().session(tx.session);
      if (++runs < 3)
        await running.oplog.db
          .collection('notes')
          .updateOne({ _sync_scope_id: who.scopeId }, { $inc: { touched: 1 } });
      try {
        await tx.upsert('notes', 'a', { n: runs });
      } catch (error) {
        if (runs === 1) throw new Error('wrapped', { cause: error });
      }
    });
    expect(runs).toBe(3);
    expect(await agreedState(running, who)).toEqual({ 'notes a': { n: 3 } });
  });

  it('runs again after a passed version that the body swallowed: the change would be missing in the log', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    let runs = 0;
    await running.sync.transaction(who, async ({ session }) => {
      const metadata = await running.sync.buildSyncMetadata(who);
      if (++runs === 1) await pass(running, who, metadata._sync_version);
      await running.items.collection.insertOne({ _id: id, name: 'Tea', ...metadata }, { session });
      const record = { collection: 'items', docId: id, operation: 'upsert', identity: who, session } as const;
      const version = metadata._sync_version;
      await running.sync.recordServerChange({ ...record, version }).catch(() => undefined);
    });
    expect(await agreedState(running, who)).toHaveProperty(`items ${id.toHexString()}`);
    expect(runs).toBe(2);
  });

  it('gives up at the deadline when the body always swallows what ended its transaction', async () => {
    const who = identity();
    const taken = new Types.ObjectId();
    const unsynced = running.connection.collection('cups');
    await unsynced.insertOne({ _id: taken, name: 'Tea' });
    const endless = running.sync.transaction(who, async ({ session }) => {
      await unsynced.insertOne({ _id: taken, name: 'Cup' }, { session }).catch(() => undefined);
    });
    await expect(endless).rejects.toMatchObject({ code: 'busy', retryAfterSeconds: 1 });
    await expect(endless).rejects.toHaveProperty('cause', expect.any(Error));
  });

  it('a push in the body of a transaction that holds its scope is refused immediately, without a deadlock', async () => {
    const [who, other] = [identity(), identity()];
    const waiting = running.sync.transaction(who, async (tx) => {
      await tx.upsert('notes', 'a', { by: 'outer' });
      await running.push(other, [upsertOf('notes', 'free', {})]);
      await running.push(who, [upsertOf('notes', 'b', {})]);
    });
    await expect(waiting).rejects.toMatchObject({ code: 'configuration' });
    await running.push(who, [upsertOf('notes', 'c', {})]);
    expect(await agreedState(running, who)).toEqual({ 'notes c': {} });
    expect(await agreedState(running, other)).toEqual({ 'notes free': {} });
  });
});
