import { MARK, OBJECT_ID, useUnharmedApp, YEAR_2999 } from '../../support/bad-input-app';
import { upsert } from '../../support/http-app';

/** Own keys of any name, as they come out of JSON.parse. */
const json = (text: string): object => JSON.parse(text) as object;
const nested = (depth: number): object =>
  json('{"a":'.repeat(depth - 1) + `"${MARK}"` + '}'.repeat(depth - 1));
const shown = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 40);

const good = upsert('notes', 'good', { n: 1 });
const note = (data: unknown, more: object = {}): object => upsert('notes', 'x', data, more);
const task = (data: object): object => upsert('tasks', OBJECT_ID, data);

type Row = [what: string, change: unknown, code: string, where: RegExp];

const SHAPES: Row[] = [
  ['no object', MARK, 'invalid_change', /changes\[1\] must be an object/],
  ['null for a change', null, 'invalid_change', /changes\[1\] must be an object/],
  ['a list for a change', [note({})], 'invalid_change', /changes\[1\] must be an object/],
  ['a number as collection', { ...note({}), collection: 7 }, 'invalid_change', /changes\[1\]\.collection/],
  ['an unknown collection', upsert(MARK, 'x', {}), 'unknown_collection', /not synced/],
  ['a collection of the engine', upsert('sync_heads', 'x', {}), 'unknown_collection', /not synced/],
  ['the collection __proto__', upsert('__proto__', 'x', {}), 'unknown_collection', /not synced/],
  ['an unknown operation', { ...note({}), operation: 'drop' }, 'invalid_change', /changes\[1\]\.operation/],
  ['the operation toString', { ...note({}), operation: 'toString' }, 'invalid_change', /\.operation/],
  ...['', 'x'.repeat(10_240), 'a\0', '\ud800', 1.5, {}, []].map((id): Row => [
    `the mutation_id ${shown(id)}`,
    note({}, { mutation_id: id }),
    'invalid_change',
    /changes\[1\]\.mutation_id must/,
  ]),
];

const IDS: Row[] = [
  ...[undefined, null, '', '\0', `a\0${MARK}`, '\ud800', 'x'.repeat(10_240), 1.5, 2 ** 53, true, ['x']].map(
    (id): Row => [
      `the id ${shown(id)}`,
      upsert('notes', id, {}),
      'invalid_doc_id',
      /changes\[1\]\.doc_id must be/,
    ],
  ),
  ['an operator as id', upsert('notes', { $gt: '' }, {}), 'invalid_doc_id', /changes\[1\]\.doc_id must be/],
  ...[7, 'twelve chars', OBJECT_ID.slice(1), `${OBJECT_ID}0`, 'x'.repeat(24)].map((id): Row => [
    `the id ${shown(id)} for an ObjectId`,
    upsert('tasks', id, { title: MARK }),
    'invalid_doc_id',
    /doc_id is not of the type that collection tasks has/,
  ]),
];

const STAMPS: Row[] = ['parent_version', 'hlc'].flatMap((field): Row[] => [
  ...[
    MARK,
    '20260502T120000.000Z',
    '20269999T120000.000Z-0001-a',
    '20260502T120000.000Z-0001-a\0',
    7,
    {},
  ].map((stamp): Row => [
    `${shown(stamp)} for ${field}`,
    note({}, { [field]: stamp }),
    'invalid_version',
    new RegExp(`changes\\[1\\]\\.${field} must`),
  ]),
  [
    `the year 2999 for ${field}`,
    note({}, { [field]: YEAR_2999 }),
    'clock_drift',
    new RegExp(`^${field} .*future`),
  ],
]);

const KEYS: Row[] = ['$set', 'a.b', '', '__proto__', 'constructor', 'prototype', 'a\0'].flatMap(
  (key): Row[] => {
    const member = `{${JSON.stringify(key)}:{"x":"${MARK}"}}`;
    return [
      [`the key ${shown(key)}`, note(json(member)), 'forbidden_key', /^data[.[]/],
      [`the key ${shown(key)} inside`, note({ a: [json(member)] }), 'forbidden_key', /^data\.a\[0\]/],
    ];
  },
);

const DATA: Row[] = [
  ['no data', note(undefined), 'invalid_data', /changes\[1\]\.data/],
  ['a list as data', note([MARK]), 'invalid_data', /changes\[1\]\.data/],
  ['a text as data', note(MARK), 'invalid_data', /changes\[1\]\.data/],
  ['depth 33', note(nested(34)), 'too_deep', /^data\.a\.a.* 32 levels/],
  ['depth 1,000', note(nested(1000)), 'too_deep', /32 levels/],
  ['lists of depth 1,000', note({ a: json('['.repeat(1e3) + ']'.repeat(1e3)) }), 'too_deep', /32 levels/],
  ['a document of 2 MB', note({ a: MARK.repeat(1 << 18) }), 'document_too_large', /1048576/],
  ['the field _id', note({ _id: MARK }), 'forbidden_key', /^data\._id .*doc_id/],
  ['the field _sync_version', note({ _sync_version: YEAR_2999 }), 'forbidden_key', /^data\._sync_version/],
  ['the field _sync_scope_id', note({ _sync_scope_id: 'b' }), 'forbidden_key', /^data\._sync_scope_id/],
  ['a number beyond doubles', note({ a: 'BEYOND' }), 'unsafe_number', /^data\.a .*string/],
  ['an integer beyond 2^53', note({ a: [2 ** 53 + 2] }), 'unsafe_number', /^data\.a\[0\] .*string/],
  ['half a surrogate pair', note({ a: '\udc00' }), 'invalid_string', /^data\.a /],
  ['half a surrogate pair in a key', note({ '\udc00': 1 }), 'invalid_string', /^data/],
  ['a field outside the schema', task({ title: 'x', colour: MARK }), 'unknown_field', /colour/],
  ['a missing field', task({ count: 1 }), 'validation_failed', /title/],
  ['a text for a number', task({ title: 'x', count: MARK }), 'validation_failed', /count/],
  ['"NaN" for a number', task({ title: 'x', count: 'NaN' }), 'validation_failed', /count/],
  ['an operator for a text', task({ title: { $gt: '' } }), 'forbidden_key', /^data\.title/],
];

/** As it travels; JSON.stringify has no number beyond doubles. */
const wire = (change: unknown): string => JSON.stringify(change).replace('"BEYOND"', '1e999');

describe('a bad change', () => {
  const given = useUnharmedApp(__filename);
  const send = async (changes: readonly string[], atomic = 'batch') => {
    const body = `{"client_id":"c","atomic":"${atomic}","changes":[${changes.join()}]}`;
    const answer = await given().device.send('/sync/push', body);
    expect(answer.status).toBe(200);
    return (answer.body as { results: { code: string; error: string }[] }).results;
  };

  it.each([...SHAPES, ...IDS, ...STAMPS, ...KEYS, ...DATA])(
    'is rejected with %s, and nothing of its batch is kept',
    async (_what, change, code, where) => {
      const results = await send([wire(good), wire(change)]);
      expect(results).toMatchObject([
        { status: 'rejected', code: 'batch_rolled_back', new_version: null },
        { status: 'rejected', code, new_version: null },
      ]);
      expect(results[1]?.error).toMatch(where);
    },
  );

  it('is rejected with data of depth 100,000, next to unknown fields of the same depth', async () => {
    const deep = '{"a":'.repeat(1e5) + '1' + '}'.repeat(1e5);
    const [result] = await send([wire(note({ a: 0 }, { unknown: 0 })).replaceAll(':0', `:${deep}`)]);
    expect(result).toMatchObject({ code: 'too_deep' });
  });

  it('is answered on its own when each change is independent', async () => {
    const bad = [...SHAPES, ...IDS, ...STAMPS, ...KEYS, ...DATA];
    const results = await send(
      bad.map(([, change]) => wire(change)),
      'mutation',
    );
    expect(results.map(({ code }) => code)).toEqual(bad.map(([, , code]) => code));
  });
});
