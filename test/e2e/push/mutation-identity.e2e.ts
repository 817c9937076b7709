import type { Conflict, JsonObject, PushResult } from 'nest-offline-sync';
import { formerBodyHash } from '../../../libs/sync/src/push/body-hash';
import { testDatabase } from '../../support/database';
import { Device, remove, startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const { uri } = testDatabase(__filename);
const stampIn = (ms: number): string =>
  `${new Date(Date.now() + ms).toISOString().replace(/[-:]/g, '')}-0000-device`;
const codes = (results: readonly PushResult[]): unknown[] =>
  results.map(({ code, status }) => code ?? status);
/** Both sides have counted from the base. */
const adds = ({ current, change, base }: Conflict): JsonObject => ({
  n: Number(current?.['n']) + Number(change.data?.['n']) - Number(base?.['n'] ?? 0),
});

describe('a mutation is its id', () => {
  let app: HttpApp;
  let scopes = 0;
  let scope: string;
  let device: Device;

  beforeAll(async () => {
    app = await startHttpApp(uri, {
      options: {
        collections: [
          { name: 'notes', freeForm: true, ids: 'scoped' },
          { name: 'strict', freeForm: true, ids: 'scoped', conflict: 'reject-stale' },
          { name: 'sums', freeForm: true, ids: 'scoped', resolver: adds },
          {
            name: 'inbox',
            freeForm: true,
            ids: 'scoped',
            authorizer: (_identity, _collection, action) => action !== 'read',
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
  const put = (id: string, data: object, more: object = {}): object => upsert('notes', id, data, more);
  const receipts = (): Promise<unknown[]> =>
    app.db.collection('sync_receipts').find({ '_id.scope': scope }).toArray();

  it('so a retry may have found out its stamps again', async () => {
    const { new_version: parent } = await device.one(put('d', { n: 0 }));
    const first = await device.one(
      put('d', { n: 1 }, { mutation_id: 'm', parent_version: parent, hlc: stampIn(0) }),
    );
    expect(first.status).toBe('accepted');
    for (const more of [
      { parent_version: first.new_version, hlc: stampIn(5) },
      { hlc: stampIn(900) },
      { parent_version: null },
    ])
      expect(await device.one(put('d', { n: 1 }, { mutation_id: 'm', ...more }))).toEqual({
        ...first,
        replayed: true,
      });
  });

  it('and an id that another change has tells what that one was answered', async () => {
    const first = await device.one(put('d', { n: 1 }, { mutation_id: 'm' }));
    const { doc_id, status, new_version, server_version, code, error } = first;
    const first_answer = { doc_id, status, new_version, server_version, code, error };
    expect(await device.one(put('other', { n: 2 }, { mutation_id: 'm' }))).toMatchObject({
      code: 'mutation_id_reused',
      doc_id: 'other',
      first_answer,
    });
    // Who may not read the collection learns what it was answered itself, and of no document.
    await device.one(upsert('inbox', 'letter', { n: 1 }, { mutation_id: 'i' }));
    const { first_answer: hidden } = await device.one(put('d', { n: 2 }, { mutation_id: 'i' }));
    expect(hidden).toEqual({
      status: 'accepted',
      new_version: expect.any(String),
      server_version: null,
      code: null,
      error: null,
    });
  });

  it('also of receipts that an earlier version has left', async () => {
    const hlc = stampIn(0);
    const body = {
      collection: 'notes',
      operation: 'upsert',
      doc_id: 'd',
      data: { b: 1, a: 2 },
      hlc,
    } as const;
    const first = await device.one({ ...body, mutation_id: 'm' });
    const hash = formerBodyHash({ ...body, parent_version: null, mutation_id: 'm' });
    await app.db
      .collection('sync_receipts')
      .updateOne({ '_id.scope': scope }, { $set: { hash }, $unset: { collection: '' } });
    expect(await device.one({ ...body, mutation_id: 'm' })).toEqual({ ...first, replayed: true });
    const { code, first_answer } = await device.one({ ...body, data: { b: 2 }, mutation_id: 'm' });
    expect([code, first_answer?.new_version]).toEqual(['mutation_id_reused', first.new_version]);
  });

  it.each(['batch', 'mutation'])(
    'that was refused for its stamp is stamped again under it (%s)',
    async (atomic) => {
      const change = put('d', { n: 1 }, { mutation_id: 'm', hlc: stampIn(180_000) });
      expect(await device.one(change, { atomic })).toMatchObject({ code: 'clock_drift' });
      await device.one(put('e', {}));
      expect(
        await device.one(
          { ...change, doc_id: 'e', hlc: stampIn(0), parent_version: stampIn(30_000) },
          { atomic },
        ),
      ).toMatchObject({
        code: 'parent_unknown',
      });
      expect(await receipts()).toEqual([]);
      const again = await device.one({ ...change, hlc: stampIn(0) }, { atomic });
      expect([again.status, again.replayed]).toEqual(['accepted', undefined]);
    },
  );

  describe('and a batch that was refused', () => {
    /** A counter that goes from 10 to 11 together with a change that a newer version stands in the way of. */
    async function transaction(
      named: boolean,
    ): Promise<{ first: object[]; counter: string; blocked: string }> {
      const [counter, blocked] = await device.push([
        upsert('sums', 'c', { n: 10 }),
        upsert('strict', 'b', { n: 1 }),
      ]);
      await device.one(upsert('strict', 'b', { n: 2 }, { parent_version: blocked!.new_version }));
      const first = [
        upsert('sums', 'c', { n: 11 }, { mutation_id: 'm1', parent_version: counter!.new_version }),
        upsert('strict', 'b', { n: 3 }, { parent_version: null, ...(named ? { mutation_id: 'm2' } : {}) }),
      ];
      return { first, counter: counter!.new_version!, blocked: blocked!.new_version! };
    }
    const counted = async (): Promise<unknown> => (await device.read('sums', 'c'))?.data;

    it('takes no effect when it comes late, after it was sent again under new ids', async () => {
      const { first, counter } = await transaction(true);
      expect(codes(await device.push(first))).toEqual(['batch_rolled_back', 'conflict_stale']);
      // What stood in the way is deleted, and the transaction is sent again under new ids.
      const standing = (await device.read('strict', 'b'))!.version;
      const gone = await device.one(remove('strict', 'b', { parent_version: standing }));
      const again = [
        upsert('sums', 'c', { n: 11 }, { mutation_id: 'm3', parent_version: counter }),
        upsert('strict', 'b', { n: 3 }, { mutation_id: 'm4', parent_version: gone.new_version }),
      ];
      expect(codes(await device.push(again))).toEqual(['accepted', 'accepted']);
      expect(await counted()).toEqual({ n: 11 });
      await device.one(
        remove('strict', 'b', { parent_version: (await device.read('strict', 'b'))!.version }),
      );
      for (const late of [first, [...first].reverse()])
        expect(codes(await device.push(late)).sort()).toEqual(['batch_rolled_back', 'conflict_stale']);
      expect(await counted()).toEqual({ n: 11 });
    });

    it('may be sent again with its good changes under their ids', async () => {
      const { first } = await transaction(true);
      const results = await device.push(first);
      expect(results[0]!.error).toContain('this change under the same mutation_id');
      const { version } = (await device.read('strict', 'b'))!;
      const fixed = upsert('strict', 'b', { n: 3 }, { mutation_id: 'm2-fixed', parent_version: version });
      expect(codes(await device.push([first[0]!, fixed]))).toEqual(['accepted', 'accepted']);
      expect(await counted()).toEqual({ n: 11 });
      // Late, the first request gets the answers that its mutations have by now.
      const late = await device.push(first);
      expect(late.map(({ status, code, replayed }) => [code ?? status, replayed])).toEqual([
        ['accepted', true],
        ['conflict_stale', true],
      ]);
      expect(await counted()).toEqual({ n: 11 });
    });

    it('is judged again where the refused change has no id', async () => {
      const { first, counter } = await transaction(false);
      expect(codes(await device.push(first))).toEqual(['batch_rolled_back', 'conflict_stale']);
      expect(await receipts()).toEqual([]);
      await device.one(
        remove('strict', 'b', { parent_version: (await device.read('strict', 'b'))!.version }),
      );
      // It stands in the way again: a tombstone that the change does not know of.
      expect(codes(await device.push(first))).toEqual(['batch_rolled_back', 'conflict_stale']);
      expect((await device.read('sums', 'c'))!.version).toBe(counter);
    });

    it('shows in its refusals what stands, and nothing of what was taken back', async () => {
      const { first } = await transaction(true);
      const results = await device.push(first);
      expect(results.map(({ server_document }) => server_document?.data)).toEqual([{ n: 10 }, { n: 2 }]);
      const [created, bad] = await device.push([
        put('new', { n: 1 }, { mutation_id: 'm5' }),
        put('bad', { $n: 1 }, { mutation_id: 'm6' }),
      ]);
      expect([created, bad].map((result) => [result!.code, result!.server_document])).toEqual([
        ['batch_rolled_back', null],
        ['forbidden_key', null],
      ]);
    });
  });
});
