import { Schema } from 'mongoose';
import type { JsonObject } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { remove, startHttpApp, upsert, type Device, type HttpApp } from '../../support/http-app';

const IDS = [
  ...[0, -1, 1, 2 ** 53 - 1, -(2 ** 53 - 1), '0', '1', '-1', ' ', '.', '..', '/', '$', '$set', 'a.b', '_id'],
  ...['__proto__', 'constructor', 'toString', 'null', 'true', '[]', '{}', '["a","x"]', '{"$oid":"x"}', '"'],
  ...['é', 'e\u0301', '\u{1f600}', '\ufeff', '\u2028', '\u0001', 'x'.repeat(256), 'twelve chars', '\\u0000'],
  ...['65f000000000000000000001', '65F000000000000000000001', 'A', 'a', 'a ', '%00', 'a,b', 'a\n'],
];

const DATA = JSON.parse(`{
  "": null, "empty": {}, "list": [[], [[]], {}], "toString": 1, "length": 0, "hasOwnProperty": "x", "then": {"then": 1},
  "a b": 1, "é": "\\u2028\\u2029", "😀": "\\ud83d\\ude00", "numbers": [0, -0, 0.1, 1e-320, 9007199254740991, 5e-324],
  "texts": ["", "\\u0001", "NaN", "2026-01-01T00:00:00Z", "65f000000000000000000001", "__proto__", "$where", "a.b"],
  "inner": {"_id": 1, "_sync_version": "x", "__v": 3, "id": null}, "__v": 7, "id": "x", "doc_id": 1, "null": null
}`) as JsonObject;
const { '': _, ...GOOD } = DATA;

describe('odd input that is good', () => {
  let app: HttpApp;
  let device: Device;

  beforeAll(async () => {
    app = await startHttpApp(testDatabase(__filename).uri, {
      models: [{ name: 'Counter', schema: new Schema({ _id: Number, n: Number }, { versionKey: false }) }],
      options: {
        collections: [
          { name: 'scoped', freeForm: true, ids: 'scoped' },
          { name: 'global', freeForm: true, ids: 'global' },
          'counters',
        ],
      },
    });
    device = app.as('a');
  });
  afterAll(() => app.close());

  const full = async (collection: string): Promise<{ doc_id: unknown; data: unknown }[]> =>
    (await device.send(`/sync/full?limit=0&collections=${collection}`)).text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('{"end":true,'))
      .map((line) => JSON.parse(line) as { doc_id: unknown; data: unknown });

  it.each(['scoped', 'global'])('as an id names a separate document in %s', async (name) => {
    const results = await device.push(IDS.map((id, n) => upsert(name, id, { n })));
    expect(results.map(({ code, doc_id }) => [code, doc_id])).toEqual(IDS.map((id) => [null, id]));
    const expected = IDS.map((id, n) => [id, n]);
    const { changes } = await device.pull(`collections=${name}&limit=1000`);
    expect(changes.map(({ doc_id, data }) => [doc_id, data?.['n']])).toEqual(expected);
    const lines = (await full(name)).map(({ doc_id, data }) => [doc_id, (data as { n: number }).n]);
    expect(new Set(lines.map((line) => JSON.stringify(line)))).toEqual(
      new Set(expected.map((line) => JSON.stringify(line))),
    );
    // Each is found again by its id.
    const edits = results.map(({ doc_id, new_version }) =>
      remove(name, doc_id, { parent_version: new_version }),
    );
    expect((await device.push(edits)).map(({ status }) => status)).toEqual(IDS.map(() => 'accepted'));
    expect((await full(name)).every(({ data }) => data === null)).toBe(true);
  });

  it('as data comes back as it was, to every reader', async () => {
    expect(await device.one(upsert('scoped', 'data', GOOD))).toMatchObject({ status: 'accepted' });
    const expected: unknown = JSON.parse(JSON.stringify(GOOD));
    expect((await device.read('scoped', 'data'))?.data).toEqual(expected);
    expect((await full('scoped')).find(({ doc_id }) => doc_id === 'data')?.data).toEqual(expected);
    // Also after the server has read it from the database and written it again.
    await app.sync.transaction({ scopeId: 'a', actorId: 's' }, (tx) => tx.upsert('scoped', 'copy', GOOD));
    expect((await device.read('scoped', 'copy'))?.data).toEqual(expected);
  });

  it('as numbers of a schema stays numbers, and texts are no ids there', async () => {
    expect(await device.one(upsert('counters', 7, { n: 1 }))).toMatchObject({
      status: 'accepted',
      doc_id: 7,
    });
    expect(await device.one(upsert('counters', '7', { n: 1 }))).toMatchObject({ code: 'invalid_doc_id' });
    expect(await device.one(upsert('counters', -0, { n: 1 }))).toMatchObject({ doc_id: 0 });
  });

  it('as unknown fields of a push and of a change is ignored', async () => {
    const change = {
      ...upsert('scoped', 'x', { n: 1 }),
      scope_id: 'b',
      _sync_scope_id: 'b',
      new: { $set: 1 },
    };
    expect(await device.one(change, { scope_id: 'b', user: 'root' })).toMatchObject({ status: 'accepted' });
    expect((await app.as('b').pull()).changes).toEqual([]);
  });

  it('as stamps of older clients, and as blank parents, is accepted', async () => {
    const stamp = (await device.one(upsert('scoped', 'old', { n: 1 }))).new_version;
    const legacy = '20200101T000000.000Z-0001';
    for (const [more, code] of [
      [{ parent_version: '' }, 'conflict_stale'],
      [{ parent_version: legacy }, 'conflict_stale'],
      [{ parent_version: stamp, hlc: legacy }, null],
    ] as const)
      expect(await device.one(upsert('scoped', 'old', { n: 2 }, more))).toMatchObject({ code });
  });

  it('as 1,000 changes, and as a push just below 8 MB, is accepted', async () => {
    const many = Array.from({ length: 1000 }, (_, n) => upsert('scoped', `many-${String(n)}`, { n }));
    expect((await device.push(many)).every(({ status }) => status === 'accepted')).toBe(true);
    const large = Array.from({ length: 7 }, (_, n) =>
      upsert('scoped', `large-${String(n)}`, { text: 'x'.repeat(1_048_000) }),
    );
    expect((await device.push(large)).map(({ status }) => status)).toEqual(large.map(() => 'accepted'));
  });

  it('as escapes that grow in the database or on the wire still comes back', async () => {
    const text = '\u0001'.repeat(170_000);
    expect(await device.one(upsert('scoped', 'escapes', { text }))).toMatchObject({ status: 'accepted' });
    expect((await device.read('scoped', 'escapes'))?.data).toEqual({ text });
    const list = Array<number>(300_000).fill(1);
    const result = await device.one(upsert('scoped', 'list', { list }));
    expect(result).toMatchObject({ status: 'accepted' });
    expect((await device.read('scoped', 'list'))?.data).toEqual({ list });
  });
});
