import { Types, type mongo } from 'mongoose';
import type { LogChange, SyncIdentity } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import {
  agreedState,
  expectOrder,
  pullAll,
  startWritesApp,
  upsertOf,
  type WritesApp,
} from '../../support/writes-app';

describe('writes of the app next to others', () => {
  const database = testDatabase(__filename);
  let apps: [WritesApp, WritesApp];
  let count = 0;

  beforeAll(async () => {
    apps = [await startWritesApp(database.uri), await startWritesApp(database.uri)];
  });
  afterAll(async () => {
    for (const app of apps) await app.close();
  });

  function identity(): SyncIdentity {
    return { scopeId: `scope-${String(++count)}`, actorId: 'clerk' };
  }

  it('two processes count down one stock, and no decrement is lost', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    await apps[0].sync.transaction(who, (tx) => tx.upsert('items', id, { name: 'Tea', stock: 20 }));
    const take = ({ sync, items }: WritesApp, order: string) =>
      sync.transaction(who, async (tx) => {
        const item = await items.findById(id).session(tx.session).orFail().lean();
        await tx.upsert('items', id, { ...item, stock: item.stock - 1 });
        await tx.upsert('notes', order, { item: id });
      });
    const orders = Array.from({ length: 20 }, (_, n) => take(apps[n % 2]!, `order-${String(n)}`));
    await Promise.all(orders);
    await expect(take(apps[0], 'one-too-many')).rejects.toMatchObject({ code: 'validation_failed' });
    const state = await agreedState(apps[1], who);
    expect(state[`items ${id.toHexString()}`]).toMatchObject({ stock: 0 });
    expect(Object.keys(state)).toHaveLength(21);
    expectOrder(await pullAll(apps[0], who));
  });

  it('gets through in a scope busy with eight clients, and so do they', async () => {
    const who = identity();
    const done = { pushes: 0, changes: 0, transactions: 0 };
    // Until both sides have had their share, or one has had so much that the other is starved. A slow machine is slow for
    // both, so nothing is timed.
    const isOver = (): boolean =>
      (done.transactions >= 10 && done.pushes >= 40) || done.transactions >= 400 || done.pushes >= 1600;
    const client = async (n: number): Promise<void> => {
      for (let i = 0; !isOver(); i++) {
        const changes = Array.from({ length: 5 }, (_, at) => upsertOf('notes', `c${n}-${i}-${at}`, { i }));
        const { results } = await apps[n % 2]!.push(who, changes, `client-${n}`);
        expect(results.map(({ status }) => status)).toEqual(changes.map(() => 'accepted'));
        done.pushes++;
        done.changes += changes.length;
      }
    };
    const clerk = async (app: WritesApp, name: string): Promise<void> => {
      for (let i = 0; !isOver(); i++) {
        await app.sync.transaction(who, async (tx) => {
          await app.items.findOne().session(tx.session);
          await tx.upsert('notes', `${name}-${i}`, { i });
          await tx.upsert('drafts', `${who.scopeId}-${name}`, { i });
        });
        done.transactions++;
      }
    };
    await Promise.all([
      ...Array.from({ length: 8 }, (_, n) => client(n)),
      clerk(apps[0], 'left'),
      clerk(apps[1], 'right'),
    ]);
    // The counts differ with the machine; what must not happen is that one side hardly gets anything.
    expect(done.transactions).toBeGreaterThanOrEqual(10);
    expect(done.pushes).toBeGreaterThanOrEqual(40);
    const log = await pullAll(apps[0], who);
    expect(log).toHaveLength(done.changes + 2 * done.transactions);
    expectOrder(log);
    await agreedState(apps[0], who);
  });

  it('commits in version order, whichever side writes: a reader never sees a gap', async () => {
    const who = identity();
    const stop = performance.now() + 2000;
    const written = { count: 0 };
    const pushing = async (app: WritesApp, name: string): Promise<void> => {
      for (let i = 0; performance.now() < stop; i++, written.count++)
        await app.push(who, [upsertOf('notes', `${name}-${i}`, { i })], name);
    };
    const transacting = async (app: WritesApp, name: string): Promise<void> => {
      for (let i = 0; performance.now() < stop; i++, written.count++)
        await app.sync.transaction(who, (tx) => tx.upsert('notes', `${name}-${i}`, { i }));
    };
    const recording = async (app: WritesApp, name: string): Promise<void> => {
      for (; performance.now() < stop; written.count++)
        await app.connection.transaction(async (session) => {
          const metadata = await app.sync.buildSyncMetadata(who, { session });
          const _id = new Types.ObjectId();
          await app.items.collection.insertOne({ _id, name, ...metadata }, { session });
          await app.sync.recordServerChange({
            collection: 'items',
            docId: _id,
            operation: 'upsert',
            identity: who,
            version: metadata._sync_version,
            session,
          });
        });
    };
    const seen: LogChange[] = [];
    let writing = true;
    const reading = async (): Promise<void> => {
      for (let last = false; !last;) {
        last = !writing;
        seen.push(...(await pullAll(apps[1], who, seen.at(-1)?.version)));
      }
    };
    const reader = reading();
    await Promise.all(
      apps.flatMap((app, n) => [
        pushing(app, `push-${n}`),
        transacting(app, `tx-${n}`),
        recording(app, `record-${n}`),
      ]),
    );
    writing = false;
    await reader;
    expect(seen).toHaveLength(written.count);
    expectOrder(seen);
    expect(new Set(seen.map(({ collection }) => collection))).toEqual(new Set(['notes', 'items']));
    await agreedState(apps[0], who);
  });
});

describe('the commands that the app own writes send', () => {
  const database = testDatabase(__filename);
  const TRANSACTION_PARTS = new Set(['insert', 'update', 'delete', 'findAndModify']);
  let running: WritesApp;
  const writes: { name: string; collection: unknown; outside: boolean }[] = [];

  beforeAll(async () => {
    running = await startWritesApp(database.uri, {}, { monitorCommands: true });
    running.connection.getClient().on('commandStarted', (event: mongo.CommandStartedEvent) => {
      const { commandName, command } = event;
      // Leases are hints between processes, outside the log.
      if (!TRANSACTION_PARTS.has(commandName) || command[commandName] === 'sync_leases') return;
      const { lsid, txnNumber, autocommit } = command as Record<string, unknown>;
      const outside = lsid === undefined || txnNumber === undefined || autocommit !== false;
      writes.push({ name: commandName, collection: command[commandName], outside });
    });
  });
  afterAll(() => running.close());

  it('every write of a push, a transaction and a record is part of a transaction', async () => {
    const who = { scopeId: 'monitored', actorId: 'clerk' };
    writes.length = 0;
    await running.push(who, [{ ...upsertOf('notes', 'pushed', {}), mutation_id: 'm' }]);
    await running.sync.transaction(who, async (tx) => {
      await tx.upsert('notes', 'a', {});
      await tx.delete('notes', 'pushed');
    });
    const alone = { collection: 'notes', docId: 'b', operation: 'upsert', identity: who } as const;
    await running.sync.recordServerChange({ ...alone, data: {} });
    await running.connection.transaction(async (session) => {
      await running.sync.lock(session, who.scopeId);
      await running.sync.recordServerChange({ ...alone, data: { again: true }, session });
    });
    expect(writes.filter(({ outside }) => outside)).toEqual([]);
    const touched = new Set(writes.map(({ collection }) => collection));
    expect(touched).toEqual(new Set(['notes', 'sync_oplog', 'sync_receipts', 'sync_heads']));
  });
});
