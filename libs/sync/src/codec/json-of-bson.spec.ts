import fc from 'fast-check';
import mongoose from 'mongoose';
import { runs } from '../../../../test/support/runs';
import { FIRST_ELEMENT } from './bson-elements';
import { JsonOfBson } from './json-of-bson';
import { JsonOutput } from './json-output';
import { decodeStored } from '../collections/native-collection';
import { encodeDocument } from './wire-codec';

const { mongo } = mongoose;
const { BSON } = mongo;

/** BSON as no driver would write it: names that come twice, any bytes for a name or a text. */
function bsonOf(...elements: readonly (readonly [type: number, name: Buffer, value: Buffer])[]): Buffer {
  const parts = elements.map(([type, name, value]) =>
    Buffer.concat([Buffer.of(type), name, Buffer.of(0), value]),
  );
  const size = Buffer.alloc(4);
  const document = Buffer.concat([size, ...parts, Buffer.of(0)]);
  document.writeInt32LE(document.length);
  return document;
}

function textValue(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32LE(bytes.length + 1);
  return Buffer.concat([size, bytes, Buffer.of(0)]);
}

/** The JSON, or undefined when the document has to be decoded as a whole. */
function straight(document: Buffer): string | undefined {
  // So small that it has to grow.
  const out = new JsonOutput(8);
  const writer = new JsonOfBson(out, decodeStored);
  return writer.fields(document, FIRST_ELEMENT, () => undefined) ? out.take().toString() : undefined;
}

/** What the codec makes of it: the truth. */
function decoded(document: Buffer): string {
  return JSON.stringify(encodeDocument(decodeStored(document)));
}

const plainName = fc.stringMatching(/^[A-Za-z_. -]{0,6}$/);
const oddName = fc.oneof(
  fc.constantFrom('0', '10', '01', '$ref', '$id', '$db', '__proto__', 'constructor', 'toJSON', 'toBSON'),
  fc.string({ unit: 'binary', minLength: 1 }).filter((name) => !name.includes('\0') && name !== '_bsontype'),
);
const plainValue = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constant(null),
  fc.date(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new mongo.ObjectId(bytes)),
);
const oddValue = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.uint8Array().map((bytes) => new mongo.Binary(Buffer.from(bytes))),
  fc.uuid().map((text) => new mongo.UUID(text)),
  fc.constantFrom(
    mongo.Decimal128.fromString('12.50'),
    mongo.Decimal128.fromString('NaN'),
    mongo.Long.MAX_VALUE,
    mongo.Long.MIN_VALUE,
    new mongo.Timestamp({ t: 5, i: 1 }),
    new mongo.BSONRegExp('a/b"', 'i'),
    new mongo.Code('f()', { a: NaN }),
    new mongo.Code('f()'),
    new mongo.BSONSymbol('s"'),
    new mongo.MinKey(),
    new mongo.MaxKey(),
    new mongo.DBRef('users', new mongo.ObjectId('507f1f77bcf86cd799439011')),
    undefined,
  ),
);
const documentOf = (name: fc.Arbitrary<string>, value: fc.Arbitrary<unknown>): fc.Arbitrary<object> =>
  fc.letrec<{ any: unknown; object: object }>((tie) => ({
    any: fc.oneof({ depthSize: 'small' }, value, value, fc.array(tie('any')), tie('object')),
    object: fc.dictionary(name, tie('any'), { maxKeys: 8 }),
  })).object;
const bytesOf = (document: object): Buffer =>
  Buffer.from(BSON.serialize(document, { ignoreUndefined: false }));

describe('JSON of BSON', () => {
  it('is what the codec makes of the decoded document, for the plain types by itself', () => {
    fc.assert(
      fc.property(documentOf(plainName, plainValue), (document) => {
        const bytes = bytesOf(document);
        expect(straight(bytes)).toBe(decoded(bytes));
      }),
      runs(500),
    );
  });

  it('is what the codec makes of it, or leaves it to the codec, for whatever MongoDB can hold', () => {
    const anything = documentOf(fc.oneof(plainName, oddName), fc.oneof(plainValue, oddValue));
    fc.assert(
      fc.property(anything, (document) => {
        const bytes = bytesOf(document);
        const text = straight(bytes);
        if (text !== undefined) expect(text).toBe(decoded(bytes));
      }),
      runs(1000),
    );
  });

  it('is the same for names and texts of any bytes, and names that come twice', () => {
    const bytes = fc.uint8Array({ maxLength: 6 }).map((given) => Buffer.from(given));
    const name = fc.oneof(
      bytes.map((given) => Buffer.from(given.map((byte) => byte || 1))),
      fc
        .constantFrom('a', 'b', '_id', '_sync_x', '_sync_version', '_bsontype')
        .map((text) => Buffer.from(text)),
    );
    const text = fc.oneof(
      bytes,
      fc.string({ unit: 'binary' }).map((given) => Buffer.from(given)),
    );
    const element = fc.tuple(fc.constant(2), name, text.map(textValue));
    const nested = fc.array(element, { maxLength: 4 }).map((elements) => bsonOf(...elements));
    const field = fc.oneof(element, fc.tuple(fc.constantFrom(3, 4), name, nested));
    fc.assert(
      fc.property(fc.array(field, { maxLength: 5 }), (elements) => {
        const document = bsonOf(...elements);
        const found = straight(document);
        if (found !== undefined) expect(found).toBe(decoded(document));
      }),
      runs(1000),
    );
  });

  it.each<[string, object, string]>([
    [
      'whole numbers',
      { a: 0, b: -1, c: 2147483647, d: -2147483648 },
      '{"a":0,"b":-1,"c":2147483647,"d":-2147483648}',
    ],
    [
      'doubles',
      { a: 1.5, b: -0, c: 1e21, d: NaN, e: new mongo.Double(7) },
      '{"a":1.5,"b":0,"c":1e+21,"d":null,"e":7}',
    ],
    [
      'numbers at the border of what is exact',
      { a: 2n ** 53n, b: 2n ** 53n + 1n, c: -(2n ** 53n), d: -(2n ** 53n) - 1n },
      '{"a":9007199254740992,"b":"9007199254740993","c":-9007199254740992,"d":"-9007199254740993"}',
    ],
    ['dates', { a: new Date(0), b: new Date(-1), c: new Date(NaN) }, ''],
    ['texts', { a: '', b: 'é日🚲', c: '"\\\n\u0001', d: '\u007f\u2028', e: 'x'.repeat(100_000) }, ''],
    ['nothing', {}, '{}'],
    [
      'what is in what',
      { a: [], b: {}, c: [[{ d: [1, 'x'] }], null] },
      '{"a":[],"b":{},"c":[[{"d":[1,"x"]}],null]}',
    ],
    [
      'other types',
      { a: mongo.Decimal128.fromString('1.50'), b: [new mongo.MinKey()] },
      '{"a":"1.50","b":[{"$minKey":1}]}',
    ],
    ['names like an index, inside', { a: { 2: 'x', 1: 'y', b: 'z' } }, '{"a":{"1":"y","2":"x","b":"z"}}'],
    ['a name that is dangerous, inside', { a: JSON.parse('{"b":1,"__proto__":{"c":2}}') as object }, ''],
    ['names that need escapes, inside', { a: { 'b"c': 1, 'd\\': 2, é: 3 } }, ''],
  ])('knows %s', (_what, document, expected) => {
    const bytes = bytesOf(document);
    expect(straight(bytes)).toBe(expected || decoded(bytes));
  });

  it('leaves a document to the codec that has many values for it, or names for an order of its own', () => {
    const decimals = Array.from({ length: 5 }, () => mongo.Decimal128.fromString('1'));
    const names = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`n${n}`, n]));
    for (const document of [{ decimals }, { 1: 'x' }, { $ref: 'a', $id: 1 }, names])
      expect(straight(bytesOf(document))).toBeUndefined();
    expect(straight(bytesOf({ decimals: decimals.slice(1) }))).toBe('{"decimals":["1","1","1","1"]}');
    expect(straight(bytesOf({ inside: names }))).toBe(JSON.stringify({ inside: names }));
  });

  it('gives what was written in pieces, and takes back what is asked for', () => {
    const writer = new JsonOutput(4);
    writer.json('"käse"');
    const place = writer.length;
    writer.bytes(Buffer.from('[1,2,3]'));
    writer.back(place);
    writer.json(':1');
    const piece = writer.take();
    expect(writer.length).toBe(0);
    writer.json('another piece');
    expect(piece.toString()).toBe('"käse":1');
    expect(writer.take().toString()).toBe('another piece');
  });

  it('fails for bytes that are no BSON, and does not go on for ever', () => {
    const bytes = bytesOf({ a: 'text', b: [1] });
    for (let at = FIRST_ELEMENT; at < bytes.length; at += 1)
      for (const byte of [0, 1, 0x20, 0x7f, 0xff]) {
        const broken = Buffer.from(bytes);
        broken[at] = byte;
        try {
          straight(broken);
        } catch (error) {
          // Any error will do; a RangeError of Node's is of another realm than Jest's.
          expect(error).toHaveProperty('message');
        }
      }
  });
});
