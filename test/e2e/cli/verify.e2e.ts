import mongoose, { type Connection } from 'mongoose';
import { runCli } from '../../../libs/sync/src/cli/program';
import type { StoredDocument } from '../../../libs/sync/src/codec/stored-document';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import { resolveSettings } from '../../../libs/sync/src/options/settings';
import { trimOnce } from '../../../libs/sync/src/retention/trim-once';
import { testDatabase } from '../../support/database';
import { until } from '../../support/until';
import { remove, startHttpApp, upsert, type HttpApp } from '../../support/http-app';

interface Compared {
  readonly scope: string;
  readonly collection: string;
  readonly live: number;
  readonly tombstones: number;
  readonly documents: { count: number; hash: string };
  readonly log: { count: number; hash: string };
  readonly differences: number;
  readonly examples: readonly { doc: string; what: string; document: string | null; log: string | null }[];
}

describe('nest-offline-sync verify', () => {
  const { uri, name: database, serverUri } = testDatabase(__filename);
  let app: HttpApp;
  let connection: Connection;
  let oplog: OplogRepository;

  beforeAll(async () => {
    app = await startHttpApp(uri, {
      options: {
        tombstoneTtlDays: 1,
        collections: [
          { name: 'notes', freeForm: true, ids: 'scoped', conflict: 'client-wins' },
          { name: 'tasks', freeForm: true, ids: 'global', conflict: 'client-wins' },
        ],
      },
    });
    connection = await mongoose.createConnection(uri).asPromise();
    oplog = new OplogRepository(connection, resolveSettings({}));
  });
  afterEach(async () => {
    for (const name of ['notes', 'tasks', 'sync_heads', 'sync_oplog', 'sync_receipts'])
      await app.db.collection(name).deleteMany({});
  });
  afterAll(async () => {
    await connection.close();
    await app.close();
  });

  const verify = async (...argv: string[]) => {
    const result = { code: -1, out: '', err: '' };
    result.code = await runCli(['verify', '--mongodb-uri', serverUri, '--database', database, ...argv], {
      out: (text) => (result.out += text),
      err: (text) => (result.err += text),
    });
    return result;
  };
  const compared = async (...argv: string[]) => {
    const { code, out, err } = await verify('--json', ...argv);
    expect(err).toBe('');
    const { compared: rows, ...sums } = JSON.parse(out) as { compared: Compared[]; differences: number };
    expect(code).toBe(sums.differences === 0 ? 0 : 1);
    return { code, out, rows, sums };
  };
  /** Everything below the head is trimmed, and so are the tombstones there. */
  const trim = async (): Promise<void> => {
    const stores = ['notes', 'tasks'].map((name) => app.db.collection<StoredDocument>(name));
    const rules = { oplogTtlDays: 0, oplogMaxEntries: 3, receiptTtlDays: 30, trimGraceMs: 0 };
    for (let run = 0; run < 2; run++) await trimOnce({ oplog, stores }, { ...rules, tombstoneTtlDays: 1e-9 });
  };

  it('finds that a scope of any size agrees with its log, whatever was done in it', async () => {
    const device = app.as('large');
    const ids = Array.from({ length: 800 }, (_, n) => (n % 2 === 0 ? n : `n${String(n)}`));
    for (const round of [1, 2]) await device.push(ids.map((id) => upsert('notes', id, { round })));
    for (let part = 0; part < 3; part++)
      await device.push(ids.map((_, n) => upsert('tasks', `large-${String(part)}-${String(n)}`, { part })));
    await device.push(ids.filter((_, n) => n % 5 === 0).map((id) => remove('notes', id)));
    const identity = { scopeId: 'large', actorId: 'ann' };
    await app.sync.transaction(identity, async (tx) => {
      await tx.move('tasks', 'large-0-1', 'other');
      await tx.move('notes', 'n1', 'other');
    });
    await app.db
      .collection('tasks')
      .insertOne({ n: 1, _sync_scope_id: ['large', 'other'], _sync_version: 'v' });
    const { rows, sums } = await compared();
    expect(sums).toMatchObject({ scopes: 2, documents: 639 + 2399 + 2, tombstones: 161, differences: 0 });
    for (const { documents, log } of rows) expect(documents).toEqual(log);
    expect(rows.map(({ scope, collection, documents: { count } }) => [scope, collection, count])).toEqual([
      ['large', 'notes', 800],
      ['large', 'tasks', 2399],
      ['other', 'notes', 1],
      ['other', 'tasks', 1],
    ]);

    // With tombstones and most of the log gone, there is less to compare, and nothing that differs.
    await trim();
    const trimmed = await compared('--scope', 'large');
    expect(trimmed.sums).toMatchObject({ scopes: 1, tombstones: 2, differences: 0 });
    expect(trimmed.rows.map(({ documents }) => documents.count)).toEqual([2, 0]);
    const { code, out } = await verify();
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/Collections and log agree: 2 scopes, 3040 documents/),
    ]);
  });

  it('names what was changed behind its back, and nothing of what it holds', async () => {
    const device = app.as('changed');
    const names = ['edited', 'gone', 'restored', 'hidden', 'tomb', 'same'];
    const versions = new Map(
      (await device.push(names.map((id) => upsert('tasks', `c-${id}`, { secret: 'words' })))).map(
        ({ doc_id, new_version }) => [doc_id, new_version],
      ),
    );
    const tasks = app.db.collection<{ _id: string }>('tasks');
    const set = (id: string, fields: object) => tasks.updateOne({ _id: `c-${id}` }, { $set: fields });
    for (const id of ['restored', 'tomb'])
      versions.set(`c-${id}`, (await device.one(remove('tasks', `c-${id}`))).new_version);
    await set('edited', { _sync_version: '20260502T120000.000Z-0001-a1b2' });
    await set('hidden', { _sync_deleted: true });
    await set('restored', { _sync_deleted: false, secret: 'words' });
    await tasks.deleteMany({ _id: { $in: ['c-gone', 'c-tomb'] } });
    const later = '29990502T120000.000Z-0001-a1b2';
    await tasks.insertOne({
      _id: 'c-new',
      secret: 'words',
      _sync_scope_id: 'changed',
      _sync_version: later,
    } as never);

    const { code, out, rows, sums } = await compared('--collection', 'tasks');
    expect([code, sums.differences]).toEqual([1, 6]);
    const [row] = rows;
    const at = (id: string): string => versions.get(`c-${id}`) ?? '';
    expect(row!.documents).not.toEqual(row!.log);
    expect(row!.examples).toHaveLength(5);
    const told = await verify('--scope', 'changed');
    expect(told.code).toBe(1);
    for (const [id, what, document, log] of [
      ['edited', 'another version than its newest entry', '20260502T120000.000Z-0001-a1b2', at('edited')],
      ['gone', 'there is no document', '-', at('gone')],
      ['tomb', 'there is no tombstone', '-', at('tomb')],
      ['hidden', 'the document is deleted, and the log does not', at('hidden'), at('hidden')],
      ['restored', 'the document is not deleted', at('restored'), at('restored')],
    ])
      expect(told.out).toMatch(
        new RegExp(`^changed tasks "c-${id}": .*${what}.* \\(document ${document}, log ${log}\\)\\.$`, 'm'),
      );
    expect(told.out).toContain('1 more differences');
    expect(told.out).not.toContain('c-same');
    for (const text of [out, told.out]) expect(text).not.toMatch(/secret|words/);

    await tasks.deleteMany({ _id: { $in: names.slice(0, 5).map((id) => `c-${id}`) } });
    await oplog.entries.deleteMany({ doc: { $in: names.slice(0, 5).map((id) => `c-${id}`) } });
    const [left] = (await compared('--collection', 'tasks')).rows;
    expect(left!.examples).toEqual([{ doc: '"c-new"', what: 'no entry', document: later, log: null }]);
  });

  it('agrees while pushes and trimming go on', async () => {
    const device = app.as('busy');
    let writing = true;
    let pushed = 0;
    const writer = (async () => {
      for (let round = 0; writing; round++) {
        const changes = Array.from({ length: 40 }, (_, n) => {
          const id = `busy-${String((n * 7 + round * 13) % 1200)}`;
          return (n + round) % 4 === 0 ? remove('tasks', id) : upsert('tasks', id, { round });
        });
        await device.push(changes);
        if (round % 10 === 9) await trim();
        pushed += 1;
      }
    })();
    await until(() => pushed > 0);
    for (let run = 0; run < 8 || pushed < 60; run++)
      expect(await compared()).toMatchObject({ sums: { differences: 0 } });
    writing = false;
    await writer;
    const { rows } = await compared();
    expect(rows.find(({ collection }) => collection === 'tasks')?.live).toBeGreaterThan(300);
  });

  it('records what differs, without the app and its schema, and says what it cannot know', async () => {
    const device = app.as('repaired');
    await device.push([
      ...['a', 'b'].map((id) => upsert('notes', id, { n: 1 })),
      ...['r-a', 'r-b', 'r-c'].map((id) => upsert('tasks', id, { n: 1 })),
    ]);
    const [notes, tasks] = [app.db.collection('notes'), app.db.collection<{ _id: string }>('tasks')];
    await notes.updateMany({}, { $set: { n: 2, secret: 's' } });
    await tasks.deleteOne({ _id: 'r-a' });
    await tasks.insertOne({ _id: 'r-plain' });
    expect(await verify('--repair')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--repair needs --hidden/) as string,
    });
    expect((await verify()).out).toMatch(
      /3 differences in 1 scopes, 4 documents, 0 tombstones. Nothing was written/,
    );
    expect((await verify('--collection', 'notes', '--repair', '--hidden', 'secret')).out).toMatch(
      /Recorded 2 of 2 differences/,
    );
    const { code, out } = await verify('--repair', '--hidden', 'secret');
    expect(code).toBe(0);
    expect(out).toMatch(/Recorded 1 of 1 differences/);
    expect(out).toMatch(/tasks: 1 documents are in no scope/);
    const { changes } = (await device.pull()) as { changes: { doc_id: string; data: object | null }[] };
    expect(Object.fromEntries(changes.map(({ doc_id, data }) => [doc_id, data]))).toEqual({
      ...{ a: { n: 2 }, b: { n: 2 } },
      ...{ 'r-a': null, 'r-b': { n: 1 }, 'r-c': { n: 1 } },
    });
    expect((await verify('--hidden', 'secret')).out).toMatch(/Collections and log agree/);
  });

  it('refuses a scope that is not there, and collections that it cannot compare', async () => {
    expect(await verify('--scope', 'nobody')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no scope "nobody" has a log or documents here') as string,
    });
    await app.as('any').push([upsert('tasks', 'any', {})]);
    await app.db.collection('plain').insertOne({ n: 1 });
    for (const [name, words] of [
      ['plain', 'nest-offline-sync init --collections plain'],
      ['sync_oplog', 'sync_oplog is not a collection of yours'],
    ] as const)
      expect(await verify('--collection', name)).toMatchObject({
        code: 2,
        err: expect.stringContaining(words) as string,
      });
    const { rows } = await compared('--collection', 'never');
    expect(rows).toMatchObject([{ collection: 'never', live: 0, differences: 0 }]);
  });
});
