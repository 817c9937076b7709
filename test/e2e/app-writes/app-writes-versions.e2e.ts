import { Types, type ClientSession } from 'mongoose';
import type { SyncIdentity } from 'nest-offline-sync';
import { trimOnce } from '../../../libs/sync/src/retention/trim-once';
import { testDatabase } from '../../support/database';
import {
  agreedState,
  expectOrder,
  pass,
  pullAll,
  startWritesApp,
  upsertOf,
  type WritesApp,
} from '../../support/writes-app';

describe('reserved versions, and the head of a scope', () => {
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

  function record(who: SyncIdentity, docId: string, version?: string, session?: ClientSession) {
    const data = { docId };
    return running.sync.recordServerChange({
      collection: 'notes',
      docId,
      operation: 'upsert',
      data,
      identity: who,
      ...(version === undefined ? {} : { version }),
      ...(session ? { session } : {}),
    });
  }

  it('a version that another change has passed is refused outside of a transaction', async () => {
    const who = identity();
    const { _sync_version: version } = await running.sync.buildSyncMetadata(who);
    await pass(running, who, version);
    await expect(record(who, 'late', version)).rejects.toMatchObject({ code: 'stale_version' });
    const session = await running.connection.startSession();
    await expect(record(who, 'late', version, session)).rejects.toMatchObject({ code: 'stale_version' });
    await session.endSession();
    expect(await agreedState(running, who)).not.toHaveProperty('notes late');
  });

  it('in a transaction it is a conflict: run again with a new version, it goes through', async () => {
    const who = identity();
    let runs = 0;
    await running.connection.transaction(async (session) => {
      const { _sync_version: version } = await running.sync.buildSyncMetadata(who);
      if (++runs === 1) await pass(running, who, version);
      await record(who, 'second', version, session);
    });
    expect(runs).toBe(2);
    expectOrder(await pullAll(running, who));
    expect(await agreedState(running, who)).toHaveProperty('notes second');
  });

  it('one that was generated before the retries is refused the second time, not retried forever', async () => {
    const who = identity();
    const { _sync_version: version } = await running.sync.buildSyncMetadata(who);
    await pass(running, who, version);
    let runs = 0;
    const stale = running.connection.transaction(async (session) => {
      runs++;
      await record(who, 'second', version, session);
    });
    await expect(stale).rejects.toMatchObject({ code: 'stale_version' });
    expect(runs).toBe(2);
  });

  it('two reservations of a transaction are recorded in their order, or refused', async () => {
    const who = identity();
    const reserve = async (session: ClientSession) =>
      (await running.sync.buildSyncMetadata(who, { session }))._sync_version;
    await running.connection.transaction(async (session) => {
      const [first, second] = [await reserve(session), await reserve(session)];
      await record(who, 'a', first, session);
      await record(who, 'b', second, session);
    });
    let runs = 0;
    const crossed = running.connection.transaction(async (session) => {
      runs++;
      const [first, second] = [await reserve(session), await reserve(session)];
      await record(who, 'c', second, session);
      await record(who, 'd', first, session);
    });
    await expect(crossed).rejects.toMatchObject({ code: 'stale_version' });
    expect(runs).toBe(1);
    const log = await pullAll(running, who);
    expect(log.map(({ doc_id }) => doc_id)).toEqual(['a', 'b']);
    expectOrder(log);
  });

  it('an invalid version, or one far in the future, is refused: it would raise the whole scope', async () => {
    const who = identity();
    const inTransaction = (version: string) =>
      running.connection.transaction((session) => record(who, 'a', version, session));
    for (const version of ['', 'yesterday', '19700101T000000.000Z-0000-x'])
      await expect(inTransaction(version)).rejects.toMatchObject({ code: 'invalid_version' });
    await expect(inTransaction('29990101T000000.000Z-0000-x')).rejects.toMatchObject({ code: 'clock_drift' });
    await expect(record(who, 'a', '29990101T000000.000Z-0000-x')).rejects.toMatchObject({
      code: 'clock_drift',
    });
    expect(await pullAll(running, who)).toEqual([]);
  });

  it('a transaction that a failover could take back is refused before it writes', async () => {
    const who = identity();
    const calls: ((session: ClientSession) => Promise<unknown>)[] = [
      (session) => running.sync.buildSyncMetadata(who, { session }),
      (session) => record(who, 'a', undefined, session),
      (session) => running.sync.lock(session, who.scopeId),
    ];
    for (const call of calls) {
      const weak = running.connection.transaction(call, { writeConcern: { w: 1 } });
      await expect(weak).rejects.toMatchObject({ code: 'weak_write_concern' });
    }
    expect(await running.oplog.readHead(who.scopeId)).toBeNull();
  });

  it('sync.lock keeps every other writer of the scope from overtaking', async () => {
    const who = identity();
    await running.push(who, [upsertOf('notes', 'a', { n: 1 })]);
    let runs = 0;
    let push: Promise<unknown> | undefined;
    await running.connection.transaction(async (session) => {
      runs++;
      await running.sync.lock(session, who.scopeId);
      push ??= running.push(who, [upsertOf('notes', 'pushed', {})]);
      // Long enough for the push to have met the lock many times, had it been able to get through.
      for (let i = 0; i < 50; i++)
        await running.items.findOne({ _id: new Types.ObjectId() }).session(session);
      await record(who, 'locked', undefined, session);
    });
    await push;
    expect(runs).toBe(1);
    expect((await pullAll(running, who)).map(({ doc_id }) => doc_id)).toEqual(['a', 'locked', 'pushed']);
    const session = await running.connection.startSession();
    await expect(running.sync.lock(session, who.scopeId)).rejects.toMatchObject({ code: 'configuration' });
    await session.endSession();
  });

  it('a head that a lock made, with no entry yet, disturbs no reader and no later writer', async () => {
    const who = identity();
    await running.connection.transaction((session) => running.sync.lock(session, who.scopeId));
    const empty = await running.sync.pull(who);
    expect(empty).toMatchObject({ changes: [], seq: 0, has_more: false });
    const { lastSeq } = await running.sync.full(who);
    const everything = {
      oplogTtlDays: 1e-9,
      oplogMaxEntries: 1,
      receiptTtlDays: 30,
      tombstoneTtlDays: 0,
      trimGraceMs: 0,
    };
    expect(await trimOnce({ oplog: running.oplog }, everything)).toMatchObject({ finished: true });
    const stop = new AbortController();
    const live = running.sync.stream(who, { since: lastSeq }, stop.signal)[Symbol.asyncIterator]();
    const first = live.next();
    await running.sync.transaction(who, (tx) => tx.upsert('notes', 'a', {}));
    await running.push(who, [upsertOf('notes', 'b', {})]);
    expect(await first).toMatchObject({ value: { seq: 1 } });
    expect(await live.next()).toMatchObject({ value: { seq: 2 } });
    stop.abort();
    await live.return?.();
    for (const since of [lastSeq, 'last_seq' in empty ? empty.last_seq : '', undefined])
      expect((await pullAll(running, who, since)).map(({ seq }) => seq)).toEqual([1, 2]);
    await agreedState(running, who);
  });
});
