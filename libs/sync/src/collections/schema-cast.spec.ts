import fc from 'fast-check';
import mongoose from 'mongoose';
import type { JsonObject } from '../protocol/json';
import type { Prepared } from './collection';
import { SchemaCast, type AnyModel } from './schema-cast.schema';
import { encodeDocument } from './wire-codec';

const { Schema, mongo } = mongoose;
const HEX = '507f1f77bcf86cd799439011';
const UUID = '0f9a3c1e-1b2d-4c3f-8a4b-5c6d7e8f9a0b';

let reported: unknown[] = [];

function castBy(
  schema: mongoose.Schema,
  unknownFields: 'reject' | 'strip' = 'reject',
): (data: JsonObject, id?: unknown) => Promise<Prepared> {
  const model = new mongoose.Mongoose().model('Thing', schema) as unknown as AnyModel;
  const cast = new SchemaCast(model, unknownFields, (_, error) => reported.push(error));
  return (data, id = new mongo.ObjectId()) => cast.cast(id, data);
}

async function taken(prepared: Promise<Prepared>): Promise<Record<string, unknown>> {
  const result = await prepared;
  if (!result.ok) throw new Error(`${result.rejection.code}: ${result.rejection.message}`);
  return result.document;
}

async function refused(prepared: Promise<Prepared>): Promise<{ code: string; message: string }> {
  const result = await prepared;
  if (result.ok) throw new Error(`was taken: ${JSON.stringify(result.document)}`);
  return result.rejection;
}

beforeEach(() => {
  reported = [];
});

const everything = new Schema({
  text: { type: String, trim: true },
  count: Number,
  done: Boolean,
  due: Date,
  owner: Schema.Types.ObjectId,
  price: Schema.Types.Decimal128,
  total: BigInt,
  bytes: Buffer,
  key: Schema.Types.UUID,
  ratio: Schema.Types.Double,
  small: Schema.Types.Int32,
  any: {},
  tags: { type: [String], default: undefined },
  place: { x: Number, inner: { y: Number } },
  one: new Schema({ q: Number, file: Buffer }, { _id: false }),
  many: { type: [new Schema({ q: Number, at: Date, file: Buffer }, { _id: false })], default: undefined },
  map: { type: Map, of: Number },
  files: { type: Map, of: Buffer },
  grid: { type: [[Number]], default: undefined },
});
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
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(100);
    expect(reported).toEqual([]);
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
      const rejection = await refused(castBy(everything, strategy)(data));
      expect(rejection.code).toBe('validation_failed');
      expect(rejection.message.startsWith(`${path}`)).toBe(true);
    }
    expect(reported).toEqual([]);
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

describe('unknown fields', () => {
  const data: JsonObject = {
    text: 'x',
    extra: 'secret',
    place: { x: 1, z: 2 },
    many: [{ q: 1 }, { other: 1 }],
  };

  it.each<[JsonObject, string]>([
    [{ extra: 'secret' }, 'data.extra'],
    [{ place: { z: 'secret' } }, 'data.place.z'],
    [{ one: { z: 'secret' } }, 'data.one.z'],
    [{ many: [{ q: 1 }, { z: 'secret' }] }, 'data.many[1].z'],
    [{ extra: null }, 'data.extra'],
    [{ save: 'secret' }, 'data.save'],
    [{ toString: 1 }, 'data.toString'],
  ])('%j is refused at its path', async (given, path) => {
    const rejection = await refused(cast(given));
    expect(rejection.code).toBe('unknown_field');
    expect(rejection.message.startsWith(`${path} `)).toBe(true);
    expect(rejection.message).not.toContain('secret');
  });

  it('are left out when asked for', async () => {
    const document = await taken(castBy(everything, 'strip')(data));
    expect(encodeDocument(document)).toEqual({ text: 'x', place: { x: 1 }, many: [{ q: 1 }, {}] });
  });

  it('are refused by a schema that is strict itself', async () => {
    const strict = new Schema({ text: String }, { strict: 'throw' });
    expect(await refused(castBy(strict, 'strip')({ text: 'x', extra: 1 }))).toEqual(
      expect.objectContaining({
        code: 'unknown_field',
        message: expect.stringContaining('data.extra') as string,
      }),
    );
  });

  it('are kept by a schema that is not strict', async () => {
    const loose = new Schema({ text: String }, { strict: false });
    expect(await taken(castBy(loose)({ text: 'x', extra: { a: [1] } }))).toEqual({
      text: 'x',
      extra: { a: [1] },
    });
  });
});

describe('the model’s own work', () => {
  it('fills in defaults, timestamps and nothing else', async () => {
    const schema = new Schema(
      { text: String, state: { type: String, default: 'new' }, place: { x: Number }, list: [String] },
      { timestamps: { createdAt: 'made', updatedAt: 'changed' } },
    );
    const document = await taken(castBy(schema)({ text: 'x' }));
    expect(Object.keys(document).sort()).toEqual(['changed', 'list', 'made', 'state', 'text']);
    expect(document.changed).toBeInstanceOf(Date);
  });

  it('keeps a createdAt that was sent, and sets updatedAt anew', async () => {
    const schema = new Schema({ text: String }, { timestamps: true });
    const old = '2020-01-01T00:00:00.000Z';
    const document = await taken(castBy(schema)({ text: 'x', createdAt: old, updatedAt: old }));
    expect(document.createdAt).toEqual(new Date(old));
    expect((document.updatedAt as Date).getTime()).toBeGreaterThan(new Date(old).getTime());
  });

  it('keeps the version key of a document that the app has saved', async () => {
    expect(await taken(cast({ text: 'x', __v: 3 }))).toEqual({ text: 'x', __v: 3 });
  });

  it('does not let the schema’s toObject options into the document', async () => {
    const schema = new Schema(
      { text: { type: String, get: (text: string) => `${text}!` } },
      { toObject: { getters: true, virtuals: true, transform: () => ({ hacked: true }) } },
    );
    schema.virtual('shout').get(() => 'X');
    expect(await taken(castBy(schema)({ text: 'x' }))).toEqual({ text: 'x' });
  });

  it('takes a discriminator’s fields', async () => {
    const base = new mongoose.Mongoose().model(
      'Event',
      new Schema({ at: Date }, { discriminatorKey: 'kind' }),
    );
    base.discriminator('Click', new Schema({ x: Number }));
    const one = new SchemaCast(base as unknown as AnyModel, 'reject', () => undefined);
    expect(await taken(one.cast(new mongo.ObjectId(), { kind: 'Click', x: 1 }))).toEqual({
      kind: 'Click',
      x: 1,
    });
    expect((await refused(one.cast(new mongo.ObjectId(), { kind: 'Click', y: 1 }))).code).toBe(
      'unknown_field',
    );
  });

  it('validates the id that the document will have', async () => {
    const schema = new Schema({ _id: { type: String, required: true, match: /^[a-z]+$/ }, text: String });
    expect(await taken(castBy(schema)({ text: 'x' }, 'abc'))).toEqual({ text: 'x' });
    expect((await refused(castBy(schema)({ text: 'x' }, 'ABC'))).message).toContain('data._id');
  });

  it('runs validate hooks', async () => {
    const schema = new Schema({ text: String, slug: String });
    schema.pre('validate', function () {
      this.set('slug', String(this.get('text')).toLowerCase());
    });
    expect(await taken(castBy(schema)({ text: 'ABC' }))).toEqual({ text: 'ABC', slug: 'abc' });
  });
});

describe('why a document is refused', () => {
  const schema = new Schema({
    title: { type: String, required: [true, 'Give the task a title'] },
    state: { type: String, enum: ['open', 'done'] },
    qty: { type: Number, min: 3, max: 9 },
    code: { type: String, match: /^\d+$/, minlength: 2, maxlength: 4 },
    due: { type: Date, min: new Date('2026-01-01T00:00:00Z') },
    even: { type: Number, validate: { validator: (n: number) => n % 2 === 0, message: 'has to be even' } },
    odd: { type: Number, validate: { validator: (n: number) => n % 2 === 1, message: '{VALUE} is not odd' } },
    made: {
      type: Number,
      validate: { validator: () => false, message: (p: { value: unknown }) => `no ${String(p.value)}` },
    },
    bare: { type: String, validate: () => false },
    failing: { type: String, validate: () => Promise.reject(new Error('secret of the validator')) },
    worded: {
      type: String,
      validate: {
        validator: () => Promise.reject(new Error('secret of the validator')),
        message: 'is taken',
      },
    },
    lines: [{ qty: { type: Number, min: 1 } }],
  });
  const title = 'x';

  it.each<[JsonObject, string]>([
    [{}, 'data.title: Give the task a title.'],
    [{ title, state: 'secret' }, 'data.state: must be one of: open, done.'],
    [{ title, qty: 1 }, 'data.qty: must not be below 3.'],
    [{ title, qty: 10 }, 'data.qty: must not be above 9.'],
    [{ title, code: '1' }, 'data.code: must have at least 2 characters.'],
    [{ title, code: '12345' }, 'data.code: must have at most 4 characters.'],
    [{ title, code: 'sec' }, 'data.code: does not have the format that is asked for.'],
    [{ title, due: '2020-01-01T00:00:00Z' }, 'data.due: must not be below 2026-01-01T00:00:00.000Z.'],
    [{ title, even: 3 }, 'data.even: has to be even.'],
    [{ title, odd: 4 }, 'data.odd: is not valid.'],
    [{ title, made: 4 }, 'data.made: is not valid.'],
    [{ title, bare: 'secret' }, 'data.bare: is not valid.'],
    [{ title, failing: 'secret' }, 'data.failing: is not valid.'],
    [{ title, worded: 'secret' }, 'data.worded: is not valid.'],
    [{ title, qty: 'secret' }, 'data.qty: cannot be taken as Number.'],
    [{ title, lines: [{ qty: 2 }, { qty: 0 }] }, 'data.lines[1].qty: must not be below 1.'],
  ])('%j', async (data, message) => {
    expect(await refused(castBy(schema)(data))).toEqual({ code: 'validation_failed', message });
  });

  it('names a few of many problems', async () => {
    const rejection = await refused(
      castBy(schema)({ title, lines: Array.from({ length: 50 }, () => ({ qty: 0 })) }),
    );
    expect(rejection.message).toMatch(/; and 45 more\.$/);
  });

  it('tells a wrong type before a rule that fails because of it', async () => {
    const number = new Schema({ qty: { type: Number, required: true } });
    expect((await refused(castBy(number)({ qty: '' }))).message).toContain('data.qty: must be of the field');
  });

  it('a hook that throws refuses without its text, and is reported', async () => {
    const hooked = new Schema({ text: String });
    hooked.pre('validate', () => {
      throw new TypeError('secret');
    });
    const rejection = await refused(castBy(hooked)({ text: 'x' }));
    expect(rejection.code).toBe('validation_failed');
    expect(rejection.message).not.toContain('secret');
    expect(reported).toHaveLength(1);
  });

  it('a validator that cannot reach the database is no verdict on the data', async () => {
    const failure = new mongo.MongoNetworkError('down');
    const asking = new Schema({ text: { type: String, validate: () => Promise.reject(failure) } });
    await expect(castBy(asking)({ text: 'x' })).rejects.toBe(failure);
  });
});
