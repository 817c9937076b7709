import { Types } from 'mongoose';
import type { DocumentPatch, SyncIdentity } from 'nest-offline-sync';
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

/** What the app's own validator was asked about. */
const judged: unknown[] = [];

describe('tx.patch', () => {
  const database = testDatabase(__filename);
  const asked: string[] = [];
  let running: WritesApp;
  let other: WritesApp;
  let count = 0;

  beforeAll(async () => {
    const collections = [
      { name: 'notes', freeForm: true, ids: 'scoped' as const },
      { name: 'drafts', freeForm: true, ids: 'global' as const },
      {
        name: 'items',
        ids: 'global' as const,
        transform: () => {
          asked.push('transform');
          return { name: 'by the transform' };
        },
      },
      { name: 'strict', freeForm: true, ids: 'scoped' as const, conflict: 'reject-stale' as const },
      {
        name: 'asking',
        freeForm: true,
        ids: 'scoped' as const,
        resolver: () => {
          asked.push('resolver');
          return null;
        },
      },
    ];
    running = await startWritesApp(database.uri, { collections }, {}, (schema) => {
      schema.path('name').validate(async (name: string) => {
        judged.push(name);
        return Promise.resolve(name !== 'forbidden');
      }, 'not this name');
    });
    other = await startWritesApp(database.uri);
  });
  beforeEach(() => {
    asked.length = 0;
    judged.length = 0;
  });
  afterAll(async () => {
    await running.close();
    await other.close();
  });

  /** Each test has its own scope. */
  function identity(): SyncIdentity {
    return { scopeId: `scope-${String(++count)}`, actorId: 'clerk' };
  }

  function patch(who: SyncIdentity, collection: string, id: string | Types.ObjectId, parts: DocumentPatch) {
    return running.sync.transaction(who, (tx) => tx.patch(collection, id, parts));
  }

  it('changes the fields that it names, leaves all others alone, and logs the whole document', async () => {
    const who = identity();
    await running.push(who, [
      upsertOf('notes', 'n', {
        title: 'a',
        due: 'b',
        at: { city: 'Bern', zip: 1 },
        tags: ['x', 'y'],
        kept: [1],
      }),
    ]);
    const written = await patch(who, 'notes', 'n', {
      data: { title: 'c', 'at.city': 'Basel', late: undefined as never },
      unset: ['due'],
      inc: { visits: 2, 'at.zip': -1 },
      add: { tags: ['z', 'y'] },
      remove: { 'at.none': ['x'] },
    });
    const whole = { title: 'c', at: { city: 'Basel', zip: 0 }, tags: ['x', 'y', 'z'], kept: [1], visits: 2 };
    const log = await pullAll(running, who);
    expect(log.at(-1)).toMatchObject({ ...written, operation: 'upsert', data: whole });
    expect(log.at(-1)).not.toHaveProperty('mutation_id');
    expect(await agreedState(running, who)).toEqual({ 'notes n': whole });
  });

  it('builds on what the same transaction has written, also past the engine', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    await running.sync.transaction(who, async (tx) => {
      await tx.upsert('notes', 'n', { n: 1 });
      await tx.patch('notes', 'n', { inc: { n: 1 } });
      await tx.patch('notes', 'n', { inc: { n: 1 }, data: { m: 1 } });
      await running.items.create([{ _id: id, name: 'Tea', stock: 3 }], { session: tx.session });
      await tx.patch('items', id, { inc: { stock: 4 } });
    });
    expect(await agreedState(running, who)).toMatchObject({
      'notes n': { n: 3, m: 1 },
      [`items ${id.toHexString()}`]: { name: 'Tea', stock: 7, state: 'new' },
    });
    expectOrder(await pullAll(running, who));
  });

  it('moves the times of a schema that asks nobody', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    await other.sync.transaction(who, (tx) => tx.upsert('items', id, { name: 'Tea' }));
    const first = await other.items.findById(id).orFail().lean();
    await until(() => Date.now() > first.updatedAt.getTime());
    await other.sync.transaction(who, (tx) => tx.patch('items', id, { inc: { stock: 1 } }));
    const second = await other.items.findById(id).orFail().lean();
    expect(second).toMatchObject({ name: 'Tea', stock: 1, createdAt: first.createdAt });
    expect(second.updatedAt.getTime()).toBeGreaterThan(first.updatedAt.getTime());
    await agreedState(other, who);
  });

  it('keeps the schema and its times, and asks the validators of the app, but not what is for devices', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    await running.sync.transaction(who, (tx) => tx.upsert('items', id, { name: 'Tea', stock: 3 }));
    const first = await running.items.findById(id).orFail().lean();
    judged.length = 0;
    await until(() => Date.now() > first.updatedAt.getTime());
    await patch(who, 'items', id, { data: { name: ' Green tea' }, inc: { stock: 1 } });
    const second = await running.items.findById(id).orFail().lean();
    expect(second).toMatchObject({ name: ' Green tea', stock: 4, createdAt: first.createdAt });
    expect(second.updatedAt.getTime()).toBeGreaterThan(first.updatedAt.getTime());
    expect(judged).toEqual([' Green tea']);
    await expect(patch(who, 'items', id, { data: { name: 'forbidden' } })).rejects.toMatchObject({
      code: 'validation_failed',
    });
    expect(asked).toEqual([]);
    await agreedState(running, who);
  });

  it('conflicts with nobody, whatever the strategy', async () => {
    const who = identity();
    for (const collection of ['strict', 'asking']) {
      const [first] = (await running.push(who, [upsertOf(collection, 'n', { mine: 0, n: 0 })])).results;
      const edit = { ...upsertOf(collection, 'n', { mine: 1, n: 0 }), parent_version: first!.new_version };
      await running.push(who, [edit]);
      await patch(who, collection, 'n', { data: { mine: 2 }, inc: { n: 1 } });
      expect((await pullAll(running, who)).at(-1)?.data).toEqual({ mine: 2, n: 1 });
    }
    expect(asked).toEqual([]);
  });

  it('that is refused writes nothing, and the transaction can go on', async () => {
    const who = identity();
    const id = new Types.ObjectId();
    await running.push(identity(), [upsertOf('drafts', 'theirs', { n: 1 })]);
    const cases: [string, string | Types.ObjectId, unknown, string][] = [
      ['notes', 'none', { inc: { n: 1 } }, 'document_missing'],
      ['notes', 'gone', { inc: { n: 1 } }, 'conflict_deleted'],
      ['drafts', 'theirs', { inc: { n: 1 } }, 'id_unavailable'],
      ['nowhere', 'n', { inc: { n: 1 } }, 'unknown_collection'],
      ['items', 'no hex', { inc: { stock: 1 } }, 'invalid_doc_id'],
      ['notes', 'n', undefined, 'invalid_patch'],
      ['notes', 'n', {}, 'invalid_patch'],
      ['notes', 'n', { set: { n: 1 } }, 'invalid_patch'],
      ['notes', 'n', { data: { n: 1 }, incs: { n: 1 } }, 'invalid_patch'],
      ['notes', 'n', { data: { n: 1 }, unset: ['n'] }, 'invalid_patch'],
      ['notes', 'n', { data: { 'list.0': 1 } }, 'invalid_patch'],
      ['notes', 'n', { inc: { n: '1' } }, 'invalid_patch'],
      ['notes', 'n', { inc: { n: NaN } }, 'unsafe_number'],
      ['notes', 'n', { inc: { text: 1 } }, 'patch_mismatch'],
      ['notes', 'n', { data: { 'text.deep': 1 } }, 'patch_mismatch'],
      ['notes', 'n', { data: { _id: 1 } }, 'forbidden_key'],
      ['notes', 'n', { unset: ['_sync_version'] }, 'forbidden_key'],
      ['notes', 'n', { data: { $where: 1 } }, 'forbidden_key'],
      ['notes', 'n', { data: { at: new Date() } }, 'invalid_data'],
      ['notes', 'n', { add: { list: [new Types.ObjectId()] } }, 'invalid_data'],
      ['notes', 'n', { data: { n: 10n } }, 'invalid_data'],
      ['items', id, { inc: { stock: -2 } }, 'validation_failed'],
      ['items', id, { unset: ['name'] }, 'validation_failed'],
      ['items', id, { data: { unknown: 1 } }, 'unknown_field'],
    ];
    const codes: unknown[] = [];
    await running.sync.transaction(who, async (tx) => {
      await tx.upsert('notes', 'n', { n: 1, text: 't', list: [] });
      await tx.delete('notes', 'gone');
      await tx.upsert('items', id, { name: 'Tea', stock: 1 });
      for (const [collection, docId, parts, code] of cases) {
        const refused = await tx.patch(collection, docId, parts as DocumentPatch).catch((e: unknown) => e);
        codes.push([collection, parts, (refused as { code?: string }).code ?? refused]);
        expect(codes.at(-1)).toEqual([collection, parts, code]);
      }
      await tx.patch('notes', 'n', { inc: { n: 1 } });
    });
    expect(codes).toHaveLength(cases.length);
    expect(await agreedState(running, who)).toMatchObject({
      'notes n': { n: 2, text: 't', list: [] },
      [`items ${id.toHexString()}`]: { name: 'Tea', stock: 1 },
    });
    expect(await pullAll(running, who)).toHaveLength(4);
  });

  it('writes only while the document has the version that was asked for', async () => {
    const who = identity();
    const first = await running.sync.transaction(who, (tx) => tx.upsert('notes', 'n', { n: 1 }));
    const count = () =>
      running.sync.transaction(who, (tx) =>
        tx.patch('notes', 'n', { inc: { n: 1 } }, { ifVersion: first.version }),
      );
    await count();
    await expect(count()).rejects.toMatchObject({ code: 'conflict_stale' });
    expect(await agreedState(running, who)).toEqual({ 'notes n': { n: 2 } });
  });

  it('counts with devices and other processes, and no count is lost', async () => {
    const who = identity();
    await running.push(who, [upsertOf('notes', 'n', { n: 0 })]);
    const byApp = async (app: WritesApp, name: string): Promise<void> => {
      for (let i = 0; i < 10; i++)
        await app.sync.transaction(who, (tx) =>
          tx.patch('notes', 'n', { inc: { n: 1 }, add: { who: [name] } }),
        );
    };
    const byDevice = async (app: WritesApp, name: string): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        const change = { collection: 'notes', operation: 'patch', doc_id: 'n', mutation_id: i };
        const { results } = await app.push(who, [{ ...change, inc: { n: 100 }, add: { who: [name] } }], name);
        expect(results).toMatchObject([{ status: 'accepted' }]);
      }
    };
    await Promise.all([
      ...[running, other].map((app, at) => byApp(app, `app ${String(at)}`)),
      ...[running, other, other].map((app, at) => byDevice(app, `device ${String(at)}`)),
    ]);
    const state = await agreedState(running, who);
    expect(state['notes n']).toMatchObject({ n: 3020 });
    expect((state['notes n'] as { who: string[] }).who.sort()).toEqual([
      'app 0',
      'app 1',
      'device 0',
      'device 1',
      'device 2',
    ]);
    const log = await pullAll(running, who);
    expect(log).toHaveLength(51);
    expectOrder(log);
  });
});
