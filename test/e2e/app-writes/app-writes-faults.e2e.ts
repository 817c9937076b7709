import { Types } from 'mongoose';
import { FailPoints } from '../../support/fail-point';
import { agreedState, pullAll, startWritesApp, type WritesApp } from '../../support/writes-app';

/** LockTimeout: the server labels it as transient inside a transaction. */
const LOCK_TIMEOUT = 24;
const NO_SUCH_TRANSACTION = 251;

describe('writes of the app while the database fails', () => {
  const appName = 'app-writes-faults';
  let running: WritesApp;
  let faults: FailPoints;
  let count = 0;

  beforeAll(async () => {
    faults = await FailPoints.start();
    running = await startWritesApp(
      faults.uri(appName),
      { retryDeadlineMs: 1500 },
      { appName, serverSelectionTimeoutMS: 1000, heartbeatFrequencyMS: 500 },
    );
  });
  afterEach(() => faults.off());
  afterAll(async () => {
    await running.close();
    await faults.close();
  });

  function identity() {
    return { scopeId: `scope-${String(++count)}`, actorId: 'clerk' };
  }

  /** An order that counts the stock down; a transaction that happened twice would show. */
  async function stocked(who: ReturnType<typeof identity>) {
    const id = new Types.ObjectId();
    await running.sync.transaction(who, (tx) => tx.upsert('items', id, { name: 'Tea', stock: 10 }));
    const counts = { runs: 0 };
    const take = () =>
      running.sync.transaction(who, async (tx) => {
        counts.runs++;
        const item = await running.items.findById(id).session(tx.session).orFail().lean();
        await tx.upsert('items', id, { ...item, stock: item.stock - 1 });
      });
    return { id, counts, take };
  }

  it.each([
    ['find', { errorCode: LOCK_TIMEOUT }],
    ['insert', { errorCode: LOCK_TIMEOUT }],
    ['commitTransaction', { errorCode: NO_SUCH_TRANSACTION, errorLabels: ['TransientTransactionError'] }],
    ['commitTransaction', { closeConnection: true }],
  ])('a patch counts once when its transaction runs again: %s %j', async (command, how) => {
    const who = identity();
    await running.sync.transaction(who, (tx) => tx.upsert('notes', 'n', { n: 1 }));
    let runs = 0;
    const hit = await faults.set({ commands: [command], appName, times: 1, ...how });
    const written = await running.sync.transaction(who, (tx) => {
      runs++;
      return tx.patch('notes', 'n', { inc: { n: 1 }, add: { by: ['app'] } });
    });
    await hit();
    expect(runs).toBe('closeConnection' in how ? 1 : 2);
    const log = await pullAll(running, who);
    expect(log.map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2, by: ['app'] }]);
    expect(log[1]).toMatchObject(written);
    await agreedState(running, who);
  });

  it('a lost answer to the commit changes nothing: once is once', async () => {
    const who = identity();
    const { id, counts, take } = await stocked(who);
    await faults.set({ commands: ['commitTransaction'], appName, closeConnection: true, times: 1 });
    await take();
    expect(counts.runs).toBe(1);
    expect((await running.items.findById(id).orFail()).stock).toBe(9);
    expect(await pullAll(running, who)).toHaveLength(2);
  });

  it.each(['find', 'insert', 'update'])(
    'a %s that fails in passing is tried again from the start',
    async (command) => {
      const who = identity();
      const { id, counts, take } = await stocked(who);
      await faults.set({ commands: [command], appName, errorCode: LOCK_TIMEOUT, times: 1 });
      await take();
      expect(counts.runs).toBeLessThanOrEqual(2);
      expect((await running.items.findById(id).orFail()).stock).toBe(9);
      expect(await pullAll(running, who)).toHaveLength(2);
      await agreedState(running, who);
    },
  );

  it('a database that never lets it through is given up with busy, and nothing stays', async () => {
    const who = identity();
    const { id, counts, take } = await stocked(who);
    await faults.set({ commands: ['insert'], appName, errorCode: LOCK_TIMEOUT });
    await expect(take()).rejects.toMatchObject({ code: 'busy', status: 503, retryAfterSeconds: 1 });
    await faults.off();
    expect(counts.runs).toBeGreaterThan(2);
    expect((await running.items.findById(id).orFail()).stock).toBe(10);
    await take();
    expect((await running.items.findById(id).orFail()).stock).toBe(9);
    await agreedState(running, who);
  });

  it('a commit with an unknown outcome is reported as such, and never run again', async () => {
    const who = identity();
    const { counts, take } = await stocked(who);
    await faults.set({ commands: ['commitTransaction'], appName, closeConnection: true });
    await expect(take()).rejects.toMatchObject({ code: 'unavailable' });
    await faults.off();
    expect(counts.runs).toBe(1);
    // The open transaction is ended, or it would lock the scope for a minute.
    await take();
    await agreedState(running, who);
  });
});
