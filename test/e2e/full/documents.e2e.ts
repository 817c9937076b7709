import { Schema } from 'mongoose';
import { testDatabase } from '../../support/database';
import { remove, startHttpApp, upsert, type HttpApp } from '../../support/http-app';

interface Documents {
  readonly documents: { readonly doc_id: unknown; readonly data: object | null; readonly version: string }[];
  readonly missing: unknown[];
  readonly remaining: unknown[];
}

describe('GET documents', () => {
  let app: HttpApp;
  beforeAll(async () => {
    app = await startHttpApp(testDatabase(__filename).uri, {
      models: [
        {
          name: 'Account',
          schema: new Schema(
            { name: String, secret: { type: String, select: false } },
            { collection: 'accounts' },
          ),
        },
      ],
      options: {
        collections: [
          { name: 'notes', freeForm: true, ids: 'scoped', conflict: 'merge' },
          { name: 'shared', freeForm: true, ids: 'global' },
          'accounts',
        ],
      },
    });
  });
  afterAll(() => app.close());

  const read = async (scope: string, collection: string, ids: readonly unknown[]): Promise<Documents> => {
    const query = new URLSearchParams({ collection, ids: JSON.stringify(ids) });
    const { status, text } = await app.as(scope).send(`/sync/documents?${String(query)}`);
    expect([status, text]).toEqual([200, expect.any(String)]);
    return JSON.parse(text) as Documents;
  };

  it('reads what the scope has, with versions that a change can build on', async () => {
    const device = app.as('one');
    const [made] = await device.push([upsert('notes', 'a', { n: 1 }), remove('notes', 'b')]);
    const { documents, missing } = await read('one', 'notes', ['b', 'a', 'c', 'a']);
    expect(documents).toMatchObject([
      { collection: 'notes', doc_id: 'b', data: null, deleted: true },
      { collection: 'notes', doc_id: 'a', data: { n: 1 }, deleted: false, version: made?.new_version },
    ]);
    expect(missing).toEqual(['c']);
    const edit = upsert('notes', 'a', { n: 2 }, { parent_version: documents[1]?.version });
    expect(await device.one(edit)).toMatchObject({ status: 'accepted', server_version: null });
  });

  it("shows another scope's document to nobody, and an id of it as one that nobody has", async () => {
    await app.as('owner').push([upsert('shared', 'theirs', { n: 1 }), upsert('notes', 'theirs', { n: 1 })]);
    for (const collection of ['shared', 'notes'])
      expect(await read('stranger', collection, ['theirs', 'nobodys'])).toEqual({
        documents: [],
        missing: ['theirs', 'nobodys'],
        remaining: [],
      });
    const scopes = { _sync_scope_id: ['stranger', 'owner'], _sync_deleted: false, n: 1 };
    await app.db.collection<{ _id: string }>('shared').insertOne({ _id: 'both', ...scopes });
    expect(await read('stranger', 'shared', ['both'])).toMatchObject({ missing: ['both'] });
  });

  it('leaves hidden fields out, and takes an ObjectId in any case for the same document', async () => {
    const id = '65f0000000000000000000ab';
    await app.as('one').push([upsert('accounts', id, { name: 'Ann' })]);
    await app.db.collection('accounts').updateOne({ name: 'Ann' }, { $set: { secret: 's3cr3t' } });
    const { documents } = await read('one', 'accounts', [id.toUpperCase(), id]);
    expect(documents).toMatchObject([{ doc_id: id, data: { name: 'Ann' } }]);
    expect(JSON.stringify(documents)).not.toContain('s3cr3t');
  });

  it('stops when the answer grows too large, and says which ids are left', async () => {
    const device = app.as('large');
    const ids = Array.from({ length: 12 }, (_, n) => `n${String(n)}`);
    for (const id of ids) await device.push([upsert('notes', id, { text: 'x'.repeat(1_000_000) })]);
    const first = await read('large', 'notes', [...ids, 'never']);
    expect(first.documents.length).toBeGreaterThanOrEqual(8);
    expect(first.remaining.length).toBeGreaterThan(0);
    expect(first.missing).toEqual([]);
    const rest = await read('large', 'notes', first.remaining);
    expect(rest).toMatchObject({ missing: ['never'], remaining: [] });
    const seen = [...first.documents, ...rest.documents].map(({ doc_id }) => String(doc_id));
    expect(seen.sort()).toEqual([...ids].sort());
  });
});
