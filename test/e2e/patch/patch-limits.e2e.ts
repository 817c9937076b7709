import { testDatabase } from '../../support/database';
import { patch, startHttpApp, upsert, type HttpApp } from '../../support/http-app';

let app: HttpApp;

beforeAll(async () => {
  app = await startHttpApp(testDatabase(__filename).uri, {
    options: {
      collections: [{ name: 'notes', freeForm: true }],
      limits: { maxDepth: 4, maxDocumentBytes: 2_000, maxPushBytes: 20_000 },
    },
  });
});
afterAll(() => app.close());

describe('the document that a patch leaves', () => {
  it.each<[string, object, string]>([
    ['is too large by a text', { data: { more: 'x'.repeat(1_200) } }, 'document_too_large'],
    ['is too large by a list', { add: { list: ['y'.repeat(1_200)] } }, 'document_too_large'],
    ['has a sum beyond what JSON holds', { inc: { huge: 5 } }, 'unsafe_number'],
    ['has no list where a value is to be added', { add: { title: [1] } }, 'patch_mismatch'],
  ])('%s: the patch is refused with all of its batch, and nothing is written', async (_, parts, code) => {
    const id = `d ${code} ${Object.keys(parts).join()}`;
    const device = app.as('shop', 'ann', id);
    const huge = Number.MAX_SAFE_INTEGER;
    await device.one(upsert('notes', id, { title: 'z'.repeat(1_000), huge, list: [] }));
    // The refusal itself leaves a receipt: the documents, the log and the head are what may not change.
    const before = await states();
    const results = await device.push([
      patch('notes', id, { inc: { n: 1 } }, { mutation_id: 'good' }),
      patch('notes', id, parts, { mutation_id: 'bad' }),
    ]);
    expect(results.map((result) => result.code)).toEqual(['batch_rolled_back', code]);
    expect(await states()).toEqual(before);
  });

  it('may be as large as the limit, and what a patch takes away counts', async () => {
    const device = app.as('shop', 'ann', 'limit');
    await device.one(upsert('notes', 'full', { a: 'x'.repeat(900), b: 'y'.repeat(900) }));
    const swap = patch('notes', 'full', { data: { c: 'z'.repeat(900) }, unset: ['b'] }, { mutation_id: 'm' });
    const { version } = (await device.read('notes', 'full'))!;
    expect(await device.one({ ...swap, parent_version: version })).toMatchObject({ status: 'accepted' });
  });

  it('all parts of patches count for the size of a push', async () => {
    const big = 'x'.repeat(21_000);
    for (const parts of [
      { data: { a: big } },
      { add: { a: [big] } },
      { remove: { a: [big] } },
      { unset: [big] },
    ]) {
      const answer = await app.as('shop').tryPush([patch('notes', 'd', parts, { mutation_id: 'm' })]);
      // A path that long is refused as a path.
      const isPath = 'unset' in parts;
      expect(answer.status).toBe(isPath ? 200 : 413);
    }
  });
});

async function states(): Promise<string[]> {
  const { db } = app;
  const hashes: string[] = [];
  for (const name of ['notes', 'sync_oplog', 'sync_heads'])
    hashes.push(
      JSON.stringify(
        await db
          .collection(name)
          .find({}, { sort: { _id: 1 } })
          .toArray(),
      ),
    );
  return hashes;
}
