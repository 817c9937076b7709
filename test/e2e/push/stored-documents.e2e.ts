import { Schema } from 'mongoose';
import type { PushResult } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { Device, remove, startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const { uri } = testDatabase(__filename);
const stampIn = (ms: number): string =>
  `${new Date(Date.now() + ms).toISOString().replace(/[-:]/g, '')}-0000-device`;

describe('what became of a change', () => {
  let app: HttpApp;
  let scopes = 0;
  let scope: string;
  let device: Device;

  beforeAll(async () => {
    const task = new Schema(
      {
        title: { type: String, trim: true },
        done: { type: Boolean, default: false },
        secret: { type: String, select: false },
      },
      { timestamps: true },
    );
    app = await startHttpApp(uri, {
      models: [{ name: 'Task', schema: task }],
      options: {
        collections: [
          'tasks',
          { name: 'notes', freeForm: true, ids: 'scoped' },
          { name: 'strict', freeForm: true, ids: 'scoped', conflict: 'reject-stale' },
          { name: 'merged', freeForm: true, ids: 'scoped', conflict: 'merge' },
          {
            name: 'inbox',
            freeForm: true,
            ids: 'scoped',
            conflict: 'merge',
            authorizer: (_identity, _collection, action) => action !== 'read',
            transform: (_collection, data) => ({ ...data, stamped: true }),
          },
        ],
      },
    });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    scopes += 1;
    scope = `s${String(scopes)}`;
    device = app.as(scope);
  });
  const logged = async (): Promise<number> => (await device.pull('limit=1000')).changes.length;
  const ID = 'aaaaaaaaaaaaaaaaaaaaaaaa';

  it('says where the log has it, also when it is asked again', async () => {
    const results = await device.push([
      upsert('notes', 'a', {}, { mutation_id: 'a' }),
      upsert('notes', 'b', {}, { mutation_id: 'b' }),
      remove('notes', 'c', { mutation_id: 'c' }),
    ]);
    const { changes } = await device.pull();
    expect(results.map(({ new_version, seq }) => [new_version, seq])).toEqual(
      changes.map(({ version, seq }) => [version, seq]),
    );
    expect((await device.one(upsert('notes', 'b', {}, { mutation_id: 'b' }))).seq).toBe(results[1]!.seq);
    expect(await device.one(upsert('notes', 'x', { $n: 1 }))).not.toHaveProperty('seq');
  });

  it('says that the stored document is another one than was sent, and shows it where that was asked for', async () => {
    const put = (data: object, more: object = {}): object =>
      upsert('tasks', `${scope.padStart(8, '0').replaceAll('s', 'a')}aaaaaaaaaaaaaaaa`, data, more);
    const given = { title: ' milk ', return: 'document' };
    const first = await device.one(put({ title: given.title }, { mutation_id: 'm', return: 'document' }));
    expect(first).toMatchObject({
      status: 'accepted',
      changed: true,
      server_document: {
        version: first.new_version,
        deleted: false,
        data: { title: 'milk', done: false, createdAt: expect.any(String), updatedAt: expect.any(String) },
      },
    });
    expect(await device.one(put({ title: given.title }, { mutation_id: 'm', return: 'document' }))).toEqual({
      ...first,
      replayed: true,
    });
    const quiet = await device.one(put({ title: 'tea', done: true }, { parent_version: first.new_version }));
    expect(quiet.changed).toBe(true);
    expect(quiet).not.toHaveProperty('server_document');
    const plain = await device.one(
      upsert('notes', 'd', { b: [1, { c: null }], a: 'x' }, { return: 'document' }),
    );
    expect(plain).not.toHaveProperty('changed');
    expect(plain.server_document).toEqual({
      version: plain.new_version,
      deleted: false,
      data: { b: [1, { c: null }], a: 'x' },
    });
    const gone = await device.one(
      remove('notes', 'd', { parent_version: plain.new_version, return: 'document' }),
    );
    expect(gone.server_document).toEqual({ version: gone.new_version, deleted: true, data: null });
    const again = await device.one(remove('notes', 'd', { return: 'document' }));
    expect(again).toMatchObject({ status: 'accepted', server_document: gone.server_document });
    expect(await device.one(upsert('notes', 'd', {}, { return: 'all' }))).toMatchObject({
      code: 'invalid_change',
    });
  });

  it('says nothing of the stored document to an identity that may not read it', async () => {
    const first = await device.one(upsert('inbox', 'd', { guess: 1 }, { return: 'document' }));
    const merged = await device.one(upsert('inbox', 'd', { guess: 2 }, { return: 'document' }));
    const refused = await device.one(upsert('inbox', 'd', { $bad: 1 }));
    for (const result of [first, merged, refused]) {
      expect(result).not.toHaveProperty('changed');
      expect(result).not.toHaveProperty('server_document');
    }
  });

  it('shows with every rejection the document as it stands, or that there is none', async () => {
    const { new_version: version } = await device.one(upsert('notes', 'd', { n: 1 }));
    const { new_version: gone } = await device.one(remove('notes', 'gone'));
    const results = await device.push(
      [
        upsert('notes', 'd', { $bad: 1 }),
        upsert('notes', 'none', { $bad: 1 }),
        upsert('notes', 'gone', { n: 1 }, { hlc: 'soon' }),
        upsert('notes', 'd', { n: 2 }, { operation: 'move' }),
        upsert('nowhere', 'd', {}),
        upsert('notes', '', {}),
      ],
      { atomic: 'mutation' },
    );
    expect(results.map(({ server_document }) => server_document)).toEqual([
      { version, deleted: false, data: { n: 1 } },
      null,
      { version: gone, deleted: true, data: null },
      { version, deleted: false, data: { n: 1 } },
      undefined,
      undefined,
    ]);
  });

  it('holds documents up to a limit', async () => {
    const text = 'x'.repeat(500_000);
    const ids = Array.from({ length: 20 }, (_, n) => `d${String(n)}`);
    for (const id of ids) await device.one(upsert('notes', id, { text }));
    const results = await device.push(
      ids.map((id) => upsert('notes', id, { $bad: 1 })),
      { atomic: 'mutation' },
    );
    const shown = results.filter(({ server_document }) => server_document !== undefined);
    expect(shown).toHaveLength(16);
  });

  describe('an upsert of what stands already', () => {
    it('is accepted and writes no entry', async () => {
      const first = await device.one(upsert('notes', 'd', { a: 1, b: [1] }, { mutation_id: 'm1' }));
      const again = (more: object): Promise<PushResult> =>
        device.one(upsert('notes', 'd', { b: [1], a: 1 }, more));
      expect(await again({ mutation_id: 'm2', parent_version: first.new_version })).toMatchObject({
        status: 'accepted',
        new_version: first.new_version,
      });
      expect(await again({ mutation_id: 'm2', parent_version: first.new_version })).toMatchObject({
        replayed: true,
      });
      expect(
        await again({ mutation_id: 'm3', parent_version: first.new_version, return: 'document' }),
      ).toMatchObject({
        server_document: { version: first.new_version, data: { a: 1, b: [1] } },
      });
      expect(await logged()).toBe(1);
    });

    it('apart from the times that the server keeps', async () => {
      const first = await device.one(upsert('tasks', ID, { title: 'x', done: true }, { return: 'document' }));
      const { updatedAt, ...rest } = first.server_document!.data!;
      expect(updatedAt).toBeDefined();
      const more = { parent_version: first.new_version };
      expect(await device.one(upsert('tasks', ID, rest, more))).toMatchObject({
        new_version: first.new_version,
      });
      expect(await device.one(upsert('tasks', ID, { ...rest, done: false }, more))).not.toMatchObject({
        new_version: first.new_version,
      });
      expect(await logged()).toBe(2);
    });

    it('is a conflict where the strategy says so, and writes none either', async () => {
      const { new_version: old } = await device.one(upsert('strict', 'd', { n: 1 }));
      const { new_version: now } = await device.one(upsert('strict', 'd', { n: 2 }, { parent_version: old }));
      expect(await device.one(upsert('strict', 'd', { n: 2 }, { parent_version: old }))).toMatchObject({
        code: 'conflict_stale',
        server_version: now,
      });
      const { new_version: base } = await device.one(upsert('merged', 'd', { n: 1, m: 1 }));
      const { new_version: other } = await device.one(
        upsert('merged', 'd', { n: 2, m: 1 }, { parent_version: base }),
      );
      expect(await device.one(upsert('merged', 'd', { n: 1, m: 1 }, { parent_version: base }))).toMatchObject(
        {
          status: 'conflict_resolved',
          new_version: other,
          server_version: other,
          server_document: { version: other, data: { n: 2, m: 1 } },
        },
      );
      expect(await logged()).toBe(4);
    });

    it('brings a tombstone back, and a newer stamp counts against later edits', async () => {
      const gone = await device.one(remove('notes', 'd'));
      await device.one(upsert('notes', 'd', {}, { parent_version: gone.new_version, hlc: stampIn(-9000) }));
      await device.one(upsert('notes', 'd', {}, { hlc: stampIn(0) }));
      expect(await logged()).toBe(3);
      expect(await device.one(upsert('notes', 'd', { late: 1 }, { hlc: stampIn(-5000) }))).toMatchObject({
        code: 'conflict_stale',
      });
    });
  });

  it('names in the log who pushed it and under which id; the app’s own writes have none', async () => {
    await device.one(upsert('notes', 'a', {}, { mutation_id: 7 }));
    await device.one(upsert('notes', 'b', {}));
    await app.sync.transaction({ scopeId: scope, actorId: 'app' }, (tx) => tx.upsert('notes', 'c', {}));
    const { changes } = await device.pull();
    expect(changes.map(({ client_id, mutation_id }) => [client_id, mutation_id])).toEqual([
      ['device', '7'],
      ['device', undefined],
      [undefined, undefined],
    ]);
  });
});
