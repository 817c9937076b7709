import fc from 'fast-check';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import mongoose from 'mongoose';
import { castBy, everything, HEX, refused, taken, UUID } from '../../../../test/support/schema-cast';
import { encodeDocument } from '../codec/wire-codec';

const { Schema, mongo } = mongoose;
const cast = castBy(everything);

describe('what a cast may turn into another type', () => {
  it.each<[string, JsonObject]>([
    ['a date', { due: '2026-05-02T12:00:00.000Z' }],
    ['an ObjectId', { owner: HEX }],
    ['a decimal', { price: '12.50' }],
    ['a decimal that is none', { price: 'NaN' }],
    ['a whole number', { total: 12 }],
    ['a large whole number', { total: '9223372036854775807' }],
    ['bytes', { bytes: 'aGVsbG8=' }],
    ['no bytes', { bytes: '' }],
    ['a UUID', { key: UUID }],
    ['numbers of a set width', { ratio: 1.5, small: 3 }],
    ['an unruled field', { any: { list: [1, { a: [] }], empty: {} } }],
    ['fields in fields', { place: { x: 1, inner: { y: 2 } }, one: { q: 1, file: 'aGk=' } }],
    ['documents in a list', { many: [{ q: 1, at: '2026-05-02T12:00:00.000Z' }, { file: 'aGk=' }, null] }],
    ['maps', { map: { a: 1, b: 2 }, files: { a: 'aGk=' } }],
    ['lists in a list', { grid: [[1, 2], []] }],
    [
      'null everywhere',
      Object.fromEntries(Object.keys(everything.paths).map((key) => [key.split('.')[0], null])),
    ],
    ['false, zero and the empty text', { done: false, count: 0, text: '' }],
  ])('%s comes back as it was sent', async (_, given) => {
    const { _id, __v, ...data } = given;
    const document = await taken(cast(data));
    expect(encodeDocument(document)).toEqual(data);
  });

  it('stores the type that the schema says', async () => {
    const document = await taken(
      cast({
        due: '2026-05-02T14:00:00+02:00',
        owner: HEX.toUpperCase(),
        price: 1.5,
        total: '7',
        bytes: 'aGk=',
        key: UUID,
      }),
    );
    expect(document.due).toEqual(new Date('2026-05-02T12:00:00.000Z'));
    expect(document.owner).toEqual(new mongo.ObjectId(HEX));
    expect(document.price).toEqual(mongo.Decimal128.fromString('1.5'));
    expect(document.total).toBe(7n);
    expect(Buffer.from((document.bytes as mongoose.mongo.Binary).buffer).toString()).toBe('hi');
    expect((document.key as mongoose.mongo.Binary).sub_type).toBe(4);
  });

  it('stores a UUID string in a Buffer of that subtype as the UUID', async () => {
    const schema = new Schema({ key: { type: Buffer, subtype: 4 } });
    const document = await taken(castBy(schema)({ key: UUID }));
    expect(encodeDocument(document)).toEqual({ key: UUID });
    expect((await refused(castBy(schema)({ key: 'aGk=' }))).code).toBe('validation_failed');
  });

  it('runs the validators of a Buffer on its bytes, not on its text', async () => {
    const two = { validator: (value: Buffer) => value.length === 2 };
    const document = await taken(
      castBy(new Schema({ bytes: { type: Buffer, validate: two } }))({ bytes: 'aGk=' }),
    );
    expect(encodeDocument(document)).toEqual({ bytes: 'aGk=' });
  });
});

describe('a list of documents with something else among them', () => {
  it.each<[string, JsonObject]>([
    ['false next to a document that does not cast', { many: [{ q: 'x' }, false] }],
    ["'' next to a document that does not cast", { many: [{ at: 'abcdefghijkl' }, ''] }],
    ['0 next to a valid document', { many: [{ q: 1 }, 0] }],
  ])('is rejected, and ends no process: %s', async (_, data) => {
    const unobserved = jest.fn();
    process.on('unhandledRejection', unobserved);
    expect(await refused(cast(data))).toMatchObject({ code: 'validation_failed' });
    // Node tells of unobserved rejections once the microtasks are done.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unobserved);
    expect(unobserved).not.toHaveBeenCalled();
  });
});

describe('any data', () => {
  const scalars = fc.oneof(
    fc.constantFrom(
      '',
      'x',
      '12',
      '1.5',
      HEX,
      UUID,
      'aGk=',
      '2026-05-02T12:00:00.000Z',
      'abcdefghijkl',
      'true',
    ),
    fc.constantFrom(0, 1, 1.5, -3, true, false, null),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
  );
  const fields = fc.constantFrom(
    'text',
    'count',
    'done',
    'due',
    'owner',
    'price',
    'total',
    'bytes',
    'key',
    'ratio',
  );
  const nested = fc.constantFrom(
    'any',
    'tags',
    'place',
    'inner',
    'one',
    'many',
    'map',
    'files',
    'grid',
    'q',
    'x',
    'at',
  );
  const { value: anything } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      scalars,
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fields, nested), tie('value'), { maxKeys: 3 }),
    ),
  }));
  const documents = fc.oneof(
    fc.dictionary(fields, scalars, { maxKeys: 3 }),
    fc.dictionary(fc.oneof(fields, nested), anything, { maxKeys: 3 }),
  ) as fc.Arbitrary<JsonObject>;

  it('that is taken can be pulled and pushed back, and stays what it is', async () => {
    let accepted = 0;
    const often = runs(1500);
    await fc.assert(
      fc.asyncProperty(documents, async (data) => {
        const first = await cast(data);
        if (!first.ok) return;
        accepted++;
        const wire = encodeDocument(first.document);
        expect(encodeDocument(await taken(cast(wire)))).toEqual(wire);
        // Nothing that was given is gone.
        expect(Object.keys(wire)).toEqual(expect.arrayContaining(Object.keys(data)));
      }),
      often,
    );
    expect(accepted).toBeGreaterThan(often.numRuns / 15);
    expect(cast.reported).toEqual([]);
  });
});

describe('what a cast would lose or bend', () => {
  it.each<[string, JsonObject, string]>([
    ['an empty text for a number', { count: '' }, 'data.count'],
    ['true for a number', { count: true }, 'data.count'],
    ['digits for a number', { count: '12' }, 'data.count'],
    ['a number for a text', { text: 12 }, 'data.text'],
    ['a word for a boolean', { done: 'yes' }, 'data.done'],
    ['1 for a boolean', { done: 1 }, 'data.done'],
    ['an empty text for a date', { due: '' }, 'data.due'],
    ['a number for a date', { due: 5 }, 'data.due'],
    ['a loose date', { due: '12' }, 'data.due'],
    ['a day that does not exist', { due: '2026-02-31T00:00:00Z' }, 'data.due'],
    ['a local time', { due: '2026-02-01T00:00:00' }, 'data.due'],
    ['twelve characters for an ObjectId', { owner: 'abcdefghijkl' }, 'data.owner'],
    ['a decimal with too many digits', { price: '1.1234567890123456789012345678901234567890' }, 'data.price'],
    ['another notation for a decimal', { price: 'inf' }, 'data.price'],
    ['an empty text for a whole number', { total: '' }, 'data.total'],
    ['a whole number of 65 bits', { total: '9223372036854775808' }, 'data.total'],
    ['a fraction for a whole number', { total: '1.5' }, 'data.total'],
    ['a text that is no base64', { bytes: 'hello' }, 'data.bytes'],
    ['a number for bytes', { bytes: 5 }, 'data.bytes'],
    ['an object for a Double', { ratio: {} }, 'data.ratio'],
    ['a scalar for a list', { tags: 'x' }, 'data.tags'],
    ['a number in a list of texts', { tags: ['a', 2] }, 'data.tags[1]'],
    ['a document for a list', { many: { q: 1 } }, 'data.many'],
    ['a scalar for nested fields', { place: 'x' }, 'data.place'],
    ['a list for nested fields', { place: [1] }, 'data.place'],
    ['a scalar for deeper nested fields', { place: { inner: 5 } }, 'data.place.inner'],
    ['a list for a map', { map: [] }, 'data.map'],
    ['digits in a map', { map: { a: '1' } }, 'data.map.a'],
    ['digits in documents in a list', { many: [{ q: 1 }, { q: '2' }] }, 'data.many[1].q'],
    ['a flat list for lists in a list', { grid: [1] }, 'data.grid'],
  ])('%s is refused', async (_, data, path) => {
    for (const strategy of ['reject', 'strip'] as const) {
      const casting = castBy(everything, strategy);
      const rejection = await refused(casting(data));
      expect(rejection.code).toBe('validation_failed');
      expect(rejection.message.startsWith(path)).toBe(true);
      expect(casting.reported).toEqual([]);
    }
  });

  it('leaves changes that the schema asks for', async () => {
    const schema = new Schema({
      name: { type: String, trim: true, lowercase: true },
      tags: { type: [String], set: (tags: string[]) => [...new Set(tags)] },
      note: { type: String, set: (note: string) => (note === '' ? undefined : note) },
      level: { type: Number, set: (level: number | null) => level ?? 0 },
    });
    const document = await taken(castBy(schema)({ name: ' Ada ', tags: ['a', 'a'], note: '', level: null }));
    expect(encodeDocument(document)).toEqual({ name: 'ada', tags: ['a'], level: 0 });
  });
});
