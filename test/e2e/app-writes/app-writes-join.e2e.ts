import mongoose, { Types, type mongo } from 'mongoose';
import type { SyncIdentity, SyncTransaction } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import {
  agreedState,
  expectOrder,
  pullAll,
  startWritesApp,
  upsertOf,
  type WritesApp,
} from '../../support/writes-app';

const database = testDatabase(__filename);
let running: WritesApp;
let second: WritesApp;
let count = 0;

beforeAll(async () => {
  running = await startWritesApp(database.uri);
  second = await startWritesApp(database.uri);
});
afterAll(async () => {
  await running.close();
  await second.close();
});

function identity(): SyncIdentity {
  return { scopeId: `scope-${String(++count)}`, actorId: 'clerk' };
}

/** A write of the app by its own model, in its own transaction. */
async function book(session: mongo.ClientSession, name: string): Promise<Types.ObjectId> {
  const [item] = await running.items.create([{ name }], { session });
  return item!._id;
}

async function nothingOf(who: SyncIdentity, name: string): Promise<void> {
  expect(await agreedState(running, who)).toEqual({});
  expect(await running.oplog.readHead(who.scopeId)).toBeNull();
  expect(await running.oplog.entries.countDocuments({ scope: who.scopeId })).toBe(0);
  expect(await running.items.countDocuments({ name })).toBe(0);
}

describe('sync.transaction in an open transaction of the app', () => {
  it('is committed with it', async () => {
    const who = identity();
    const written = await running.connection.transaction(async (session) => {
      await book(session, who.scopeId);
      const first = await running.sync.transaction(
        who,
        async (tx) => {
          expect(tx.session).toBe(session);
          return tx.upsert('notes', 'a', { n: 1 });
        },
        { session },
      );
      // Nobody outside sees it yet.
      expect(await pullAll(running, who)).toEqual([]);
      return first;
    });
    const log = await pullAll(running, who);
    expect(log.map(({ version, seq }) => ({ version, seq }))).toEqual([written]);
    expect(await agreedState(running, who)).toEqual({ 'notes a': { n: 1 } });
    expect(await running.items.countDocuments({ name: who.scopeId })).toBe(1);
  });

  it('leaves nothing when that is rolled back: no document, entry or head', async () => {
    const who = identity();
    const undone = running.connection.transaction(async (session) => {
      await book(session, who.scopeId);
      await running.sync.transaction(who, (tx) => tx.upsert('notes', 'a', { n: 1 }), { session });
      throw new Error('the order was refused');
    });
    await expect(undone).rejects.toThrow('the order was refused');
    await nothingOf(who, who.scopeId);
  });

  it('several times, of several scopes, together with recorded changes: versions rise, seq counts', async () => {
    const [who, other] = [identity(), identity()];
    await running.push(who, [upsertOf('notes', 'before', {})]);
    const session = await running.connection.startSession();
    session.startTransaction({ writeConcern: { w: 'majority' } });
    const put = (by: SyncIdentity, id: string) =>
      running.sync.transaction(by, (tx) => tx.upsert('notes', id, {}), { session });
    await put(who, 'a');
    await running.sync.transaction(who, () => Promise.resolve(), { session });
    await running.sync.recordServerChange({
      collection: 'notes',
      docId: 'b',
      operation: 'upsert',
      data: {},
      identity: who,
      session,
    });
    await put(other, 'x');
    await Promise.all([put(who, 'c'), put(other, 'y'), put(who, 'd')]);
    await session.commitTransaction();
    await session.endSession();
    const log = await pullAll(running, who);
    expect(log.map(({ doc_id }) => doc_id)).toEqual(['before', 'a', 'b', 'c', 'd']);
    expectOrder(log);
    expectOrder(await pullAll(running, other));
    await agreedState(running, other);
  });

  it('is run again by the app after a conflict, and takes the head first then', async () => {
    const who = identity();
    await running.push(who, [upsertOf('notes', 'before', {})]);
    const heads: unknown[] = [];
    await running.connection.transaction(async (session) => {
      await running.items.findOne().session(session);
      if (heads.length === 0) await second.push(who, [upsertOf('notes', 'other', {})]);
      const joined = running.sync.transaction(
        who,
        async (tx) => {
          heads.push(await running.oplog.heads.findOne({ _id: who.scopeId }, { session: tx.session }));
          await tx.upsert('notes', 'a', { n: heads.length });
        },
        { session },
      );
      await joined.catch((error: unknown) => {
        // The driver's own error, or one like it: what withTransaction runs again for.
        expect(error).toBeInstanceOf(mongoose.mongo.MongoError);
        expect((error as mongo.MongoError).hasErrorLabel('TransientTransactionError')).toBe(true);
        throw error;
      });
    });
    expect(heads).toHaveLength(2);
    expect(heads[0]).not.toHaveProperty('reserved');
    expect(heads[1]).toHaveProperty('reserved');
    expect((await agreedState(running, who))['notes a']).toEqual({ n: 2 });
    expectOrder(await pullAll(running, who));
  });

  it('keeps a log without a gap among pushes and transactions of two processes', async () => {
    const who = identity();
    const rounds = Array.from({ length: 8 }, (_, n) => n);
    const joining = async (app: WritesApp, name: string): Promise<void> => {
      for (const n of rounds)
        await app.connection.transaction(async (session) => {
          await app.items.findOne().session(session);
          await app.sync.transaction(who, (tx) => tx.upsert('notes', `${name}-${n}`, { n }), { session });
          await app.sync.transaction(who, (tx) => tx.upsert('drafts', `${who.scopeId}-${name}`, { n }), {
            session,
          });
        });
    };
    const pushing = async (app: WritesApp, name: string): Promise<void> => {
      for (const n of rounds) await app.push(who, [upsertOf('notes', `${name}-${n}`, { n })], name);
    };
    await Promise.all([
      joining(running, 'j1'),
      joining(second, 'j2'),
      pushing(running, 'p1'),
      pushing(second, 'p2'),
    ]);
    const log = await pullAll(running, who);
    expect(log).toHaveLength(rounds.length * 6);
    expectOrder(log);
    await agreedState(second, who);
  });

  it.each<[string, (work: (session: mongo.ClientSession) => Promise<unknown>) => Promise<unknown>]>([
    ['connection.transaction', (work) => running.connection.transaction((session) => work(session))],
    [
      'session.withTransaction',
      (work) => running.connection.withSession((session) => session.withTransaction(() => work(session))),
    ],
    [
      'a commit by hand',
      async (work) => {
        const session = await running.connection.startSession();
        try {
          session.startTransaction();
          await work(session);
          await session.commitTransaction();
        } finally {
          await session.endSession();
        }
      },
    ],
  ])('whose body fails cannot be committed, when the app goes on: %s', async (_how, transaction) => {
    const who = identity();
    const refused = new Error('out of stock');
    let runs = 0;
    const swallowing = transaction(async (session) => {
      runs++;
      await book(session, who.scopeId);
      const failing = running.sync.transaction(
        who,
        async (tx) => {
          await tx.upsert('notes', 'half', {});
          throw refused;
        },
        { session },
      );
      await expect(failing).rejects.toBe(refused);
      const more = running.sync.transaction(who, (tx) => tx.upsert('notes', 'more', {}), { session });
      await expect(more).rejects.toBe(refused);
    });
    await expect(swallowing).rejects.toBe(refused);
    expect(runs).toBe(1);
    await nothingOf(who, who.scopeId);
  });

  it('leaves the session good for the next transaction after one that failed', async () => {
    const who = identity();
    const session = await running.connection.startSession();
    for (const fails of [true, false, true, false]) {
      const done = session.withTransaction(async () => {
        const body = async (tx: SyncTransaction) => {
          await tx.upsert('notes', String(fails), {});
          if (fails) throw new Error('no');
        };
        await running.sync.transaction(who, body, { session }).catch(() => undefined);
      });
      if (fails) await expect(done).rejects.toThrow('no');
      else await done;
    }
    await session.endSession();
    expect(await agreedState(running, who)).toEqual({ 'notes false': {} });
    expect(await pullAll(running, who)).toHaveLength(2);
  });

  it('refuses immediately a session that it cannot join', async () => {
    const who = identity();
    const body = jest.fn((tx: SyncTransaction) => tx.upsert('notes', 'a', {}));
    const tried = async (session: unknown, told: RegExp, code = 'configuration'): Promise<void> => {
      const refused = running.sync.transaction(who, body, { session: session as mongo.ClientSession });
      await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(told) as string });
    };
    const own = await running.connection.startSession();
    await tried(own, /no open transaction/);
    own.startTransaction({ writeConcern: { w: 1 } });
    await tried(own, /write concern/, 'weak_write_concern');
    await own.abortTransaction();
    await tried(own, /no open transaction/);
    await own.endSession();
    await tried(own, /has ended/);
    const foreign = await second.connection.startSession();
    foreign.startTransaction();
    await tried(foreign, /another connection/);
    await foreign.abortTransaction();
    await foreign.endSession();
    await tried({}, /session of the MongoDB driver/);
    expect(body).not.toHaveBeenCalled();
    await nothingOf(who, who.scopeId);
  });

  it('fails immediately where it would wait for the transaction around it', async () => {
    const who = identity();
    const waiting = running.sync.transaction(who, async (outer) => {
      await outer.upsert('notes', 'a', {});
      await running.connection.transaction((session) =>
        running.sync.transaction(who, (tx) => tx.upsert('notes', 'b', {}), { session }),
      );
    });
    await expect(waiting).rejects.toMatchObject({ code: 'configuration' });
    await nothingOf(who, who.scopeId);
  });
});

describe('sync.transaction in the body of another', () => {
  it('becomes part of it, of the same or another scope', async () => {
    const [who, other] = [identity(), identity()];
    const nest = async (fails: boolean): Promise<void> =>
      running.sync.transaction(who, async (outer) => {
        await outer.upsert('notes', 'a', {});
        await running.sync.transaction({ ...who, actorId: 'helper' }, async (inner) => {
          expect(inner.session).toBe(outer.session);
          await inner.upsert('notes', 'b', {});
          await running.sync.transaction(other, (deep) => deep.upsert('notes', 'x', {}));
        });
        await running.sync.recordServerChange({
          collection: 'notes',
          docId: 'recorded',
          operation: 'upsert',
          data: {},
          identity: who,
        });
        await outer.upsert('notes', 'c', {});
        if (fails) throw new Error('undone');
      });
    await expect(nest(true)).rejects.toThrow('undone');
    await nothingOf(who, who.scopeId);
    await nothingOf(other, other.scopeId);
    await nest(false);
    const log = await pullAll(running, who);
    expect(log.map(({ doc_id }) => doc_id)).toEqual(['a', 'b', 'recorded', 'c']);
    expectOrder(log);
    expect(await agreedState(running, other)).toEqual({ 'notes x': {} });
    const stored = await running.oplog.db
      .collection('notes')
      .findOne({ _id: JSON.stringify([who.scopeId, 'b']) as never });
    expect(stored).toMatchObject({ _sync_actor_id: 'helper' });
  });

  it('is run again with it after a conflict', async () => {
    const who = identity();
    await running.push(who, [upsertOf('notes', 'before', {})]);
    let runs = 0;
    await running.sync.transaction(who, async (outer) => {
      await running.items.findOne().session(outer.session);
      if (++runs === 1) await second.push(who, [upsertOf('notes', 'other', {})]);
      // A conflict that is wrapped on its way out is one all the same.
      await running.sync
        .transaction(who, (inner) => inner.upsert('notes', 'a', { runs }))
        .catch((cause: unknown) => {
          throw new Error('wrapped', { cause });
        });
    });
    expect(runs).toBe(2);
    expect((await agreedState(running, who))['notes a']).toEqual({ runs: 2 });
    expectOrder(await pullAll(running, who));
  });

  it('fails the outer one too when its error is caught: half of it must not stay', async () => {
    const who = identity();
    const refused = new Error('out of stock');
    const swallowing = running.sync.transaction(who, async (outer) => {
      await book(outer.session, who.scopeId);
      await running.sync
        .transaction(who, async (inner) => {
          await inner.upsert('notes', 'half', {});
          throw refused;
        })
        .catch(() => undefined);
      await expect(outer.upsert('notes', 'more', {})).rejects.toBe(refused);
    });
    await expect(swallowing).rejects.toBe(refused);
    await nothingOf(who, who.scopeId);
  });

  it('runs one after another when several are started concurrently', async () => {
    const who = identity();
    let inside = 0;
    await running.sync.transaction(who, async (outer) => {
      const nested = (id: string) =>
        running.sync.transaction(who, async (tx) => {
          expect(++inside).toBe(1);
          await book(tx.session, who.scopeId);
          await running.sync.transaction(who, (deep) => deep.upsert('notes', id, {}));
          inside--;
        });
      await Promise.all([nested('a'), nested('b'), nested('c')]);
      const plain = running.sync.transaction(who, (tx) => tx.upsert('notes', 'd', {}));
      await Promise.all([plain, outer.upsert('notes', 'e', {}), outer.upsert('notes', 'f', {})]);
    });
    const log = await pullAll(running, who);
    expect(log.map(({ collection }) => collection).sort()).toEqual([
      ...['items', 'items', 'items'],
      ...['notes', 'notes', 'notes', 'notes', 'notes', 'notes'],
    ]);
    expectOrder(log);
    expect(await running.items.countDocuments({ name: who.scopeId })).toBe(3);
  });

  it('that was not awaited fails the outer one', async () => {
    const who = identity();
    const forgetful = running.sync.transaction(who, async (outer) => {
      await outer.upsert('notes', 'a', {});
      void running.sync.transaction(who, (inner) => inner.upsert('notes', 'b', {})).catch(() => undefined);
    });
    await expect(forgetful).rejects.toMatchObject({ code: 'configuration' });
    await nothingOf(who, who.scopeId);
  });

  it('begins a new one when the outer one is over', async () => {
    const who = identity();
    let later: () => Promise<unknown> = () => Promise.resolve();
    await running.sync.transaction(who, async (outer) => {
      // Keeps the body's async context, as a timer or an event would.
      const waiting = new Promise<void>((resolve) => (later = () => Promise.resolve(resolve())));
      const after = waiting.then(() => running.sync.transaction(who, (tx) => tx.upsert('notes', 'b', {})));
      later = (
        (start) => () =>
          start().then(() => after)
      )(later);
      await outer.upsert('notes', 'a', {});
    });
    await later();
    expect(Object.keys(await agreedState(running, who))).toEqual(['notes a', 'notes b']);
  });
});

describe('where Mongoose keeps the session for the calls inside', () => {
  beforeAll(() => mongoose.set('transactionAsyncLocalStorage', true));

  it('a write without the session is refused immediately: it would stay when the app rolls back', async () => {
    const who = identity();
    const alone = running.connection.transaction(() =>
      running.sync.transaction(who, (tx) => tx.upsert('notes', 'a', {})),
    );
    await expect(alone).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(/\{ session \}/) as string,
    });
    const record = { collection: 'notes', docId: 'a', operation: 'upsert', data: {}, identity: who } as const;
    const recorded = running.connection.transaction(() => running.sync.recordServerChange(record));
    await expect(recorded).rejects.toMatchObject({ code: 'configuration' });
    await nothingOf(who, who.scopeId);
  });

  it('with the session all of it is one, and a push that would wait for it is refused', async () => {
    const [who, other] = [identity(), identity()];
    await running.connection.transaction(async (session) => {
      await running.items.create([{ name: who.scopeId }]);
      await running.sync.transaction(
        who,
        async (tx) => {
          await tx.upsert('notes', 'a', {});
          await running.sync.transaction(who, (inner) => inner.upsert('notes', 'b', {}));
        },
        { session },
      );
      await running.push(other, [upsertOf('notes', 'free', {})]);
      const waiting = running.push(who, [upsertOf('notes', 'c', {})]);
      await expect(waiting).rejects.toMatchObject({ code: 'configuration' });
    });
    expect(Object.keys(await agreedState(running, who))).toEqual(['notes a', 'notes b']);
    expect(await running.items.countDocuments({ name: who.scopeId })).toBe(1);
  });
});
