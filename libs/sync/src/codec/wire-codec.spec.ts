import type { StoredDocument } from './stored-document';
import fc from 'fast-check';
import { runs } from '../../../../test/support/runs';
import mongoose from 'mongoose';
import { encodeDocument, encodeValue } from './wire-codec';

const { mongo } = mongoose;
const { BSON } = mongo;

/** What the driver would give back for a document. */
function stored(document: StoredDocument): StoredDocument {
  return BSON.deserialize(BSON.serialize(document, { ignoreUndefined: true }));
}

describe('wire codec', () => {
  const uuid = '0f9a3c1e-1b2d-4c3f-8a4b-5c6d7e8f9a0b';

  it.each<[string, unknown, unknown]>([
    ['a Date', new Date('2026-05-02T12:00:00.123Z'), '2026-05-02T12:00:00.123Z'],
    ['an ObjectId', new mongo.ObjectId('507F1F77BCF86CD799439011'), '507f1f77bcf86cd799439011'],
    ['a Decimal128', mongo.Decimal128.fromString('12.50'), '12.50'],
    ['bytes', new mongo.Binary(Buffer.from('hi')), 'aGk='],
    ['a Buffer', Buffer.from('hi'), 'aGk='],
    ['a UUID', new mongo.UUID(uuid), uuid],
    ['a UUID made as a Binary', new mongo.Binary(Buffer.from(uuid.replaceAll('-', ''), 'hex'), 4), uuid],
    ['a safe Long', mongo.Long.fromString('-9007199254740991'), -9007199254740991],
    ['an unsafe Long', mongo.Long.fromString('9223372036854775807'), '9223372036854775807'],
    ['a bigint', 12n, 12],
    ['a large bigint', 2n ** 60n, '1152921504606846976'],
    ['a Double', new mongo.Double(1.5), 1.5],
    ['an Int32', new mongo.Int32(7), 7],
    ['NaN', NaN, null],
    ['Infinity', -Infinity, null],
    ['a Double that is NaN', new mongo.Double(NaN), null],
    ['an invalid Date', new Date(NaN), null],
    ['a Map', new Map([['k', new Date(0)]]), { k: '1970-01-01T00:00:00.000Z' }],
    ['undefined in an array', [1, undefined, null], [1, null, null]],
    ['a RegExp', /a\/b/i, { $regularExpression: { pattern: 'a\\/b', options: 'i' } }],
    ['a Timestamp', new mongo.Timestamp({ t: 5, i: 1 }), { $timestamp: { t: 5, i: 1 } }],
    ['a Code', new mongo.Code('f()', { a: NaN }), { $code: 'f()', $scope: { a: null } }],
    [
      'a DBRef',
      new mongo.DBRef('users', new mongo.ObjectId('507f1f77bcf86cd799439011')),
      { $ref: 'users', $id: '507f1f77bcf86cd799439011' },
    ],
    ['MinKey', new mongo.MinKey(), { $minKey: 1 }],
    ['MaxKey', new mongo.MaxKey(), { $maxKey: 1 }],
    ['a symbol', new mongo.BSONSymbol('s'), 's'],
  ])('writes %s', (_, value, expected) => {
    expect(encodeValue(value)).toEqual(expected);
  });

  it('leaves out the id and the engine’s fields at the top, and only there', () => {
    const wire = encodeDocument({
      _id: 1,
      _sync_version: 'v',
      _sync_new: 1,
      a: { _id: 2, _sync_version: 'w' },
    });
    expect(wire).toEqual({ a: { _id: 2, _sync_version: 'w' } });
  });

  it('leaves out undefined fields, at any depth', () => {
    const wire = encodeDocument({ a: undefined, b: { c: undefined } });
    expect(Object.keys(wire)).toEqual(['b']);
    expect(wire.b).toEqual({});
  });

  it('survives a poisoned document', () => {
    const poisoned = {
      ...(JSON.parse(
        '{"__proto__": {"admin": true}, "deep": {"__proto__": [1], "constructor": 1}}',
      ) as object),
      _id: 'x',
      nan: NaN,
      infinite: [Infinity, -Infinity],
      nested: { gone: undefined, list: [undefined, { gone: undefined }] },
      long: mongo.Long.MAX_VALUE,
      unsigned: mongo.Long.MAX_UNSIGNED_VALUE,
      timestamp: new mongo.Timestamp({ t: 4294967295, i: 4294967295 }),
      regex: /x(?=y)/giu,
      shortUuid: new mongo.Binary(Buffer.from('abc'), 4),
      vector: new mongo.Binary(Buffer.from([1, 2]), 9),
      decimal: mongo.Decimal128.fromString('NaN'),
      disguised: { _bsontype: 'ObjectId', toJSON: 1, toBSON: 'x', length: 9 },
      'a.b': { $set: 1 },
      half: '\ud800',
      '': '',
    };
    const wire = encodeDocument(poisoned);
    const back = JSON.parse(JSON.stringify(wire)) as Record<string, unknown>;
    expect(back).toEqual(wire);
    expect(Object.hasOwn(back, '__proto__')).toBe(true);
    expect((wire as { admin?: unknown }).admin).toBeUndefined();
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
    expect(wire.disguised).toEqual({ _bsontype: 'ObjectId', toJSON: 1, toBSON: 'x', length: 9 });
    expect(wire.vector).toBe('AQI=');
    expect(wire.shortUuid).toBe('YWJj');
  });

  it('takes no object for a BSON type by its own fields', () => {
    class Reading {
      readonly _bsontype = 'ObjectId';
    }
    expect(encodeValue(new Reading())).toEqual({ _bsontype: 'ObjectId' });
  });

  it('takes a Mongoose document and its arrays as what is stored of them', () => {
    const model = new mongoose.Mongoose().model(
      'Basket',
      new mongoose.Schema({ lines: [{ qty: Number, _id: false }], prices: { type: Map, of: Number } }),
    );
    const basket = new model({ lines: [{ qty: 2 }], prices: { a: 1 } });
    expect(encodeDocument(basket as unknown as StoredDocument)).toEqual({
      lines: [{ qty: 2 }],
      prices: { a: 1 },
    });
  });

  it('is the same before storing and after reading back', () => {
    const value = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.string({ unit: 'binary' }),
        fc.double(),
        fc.maxSafeInteger(),
        fc.boolean(),
        fc.constant(null),
        fc.date({ noInvalidDate: true }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.uint8Array().map((bytes) => new mongo.Binary(Buffer.from(bytes))),
        fc.uuid().map((text) => new mongo.UUID(text)),
        fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new mongo.ObjectId(bytes)),
        fc.array(tie('any')),
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((key) => !/[\0$]/.test(key) && key !== '_bsontype'),
          tie('any'),
        ),
      ),
    })).any;
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), value), (document) => {
        const before = JSON.stringify(encodeDocument(document));
        expect(JSON.stringify(encodeDocument(stored(document)))).toBe(before);
        expect(() => JSON.parse(before) as unknown).not.toThrow();
      }),
      runs(500),
    );
  });

  it('gives JSON back as it came', () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: 'medium' }), (value) => {
        expect(JSON.stringify(encodeValue(value))).toBe(JSON.stringify(value));
      }),
      runs(500),
    );
  });
});
