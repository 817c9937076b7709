import mongoose from 'mongoose';
import { keysOf, textsIn, uniqueIndexes, type UniqueIndex } from './unique-keys';

const { Binary, Decimal128, Double, Int32, Long, ObjectId } = mongoose.mongo;
const on = (paths: string[], more: Partial<UniqueIndex> = {}): UniqueIndex => ({
  name: 'i',
  paths,
  sparse: false,
  filter: undefined,
  collation: undefined,
  ...more,
});
const texts = (document: object, index = on(['a']), same = (text: string): string => text): string[] =>
  keysOf({ ...document }, index, same).map(({ text }) => text);

describe('uniqueIndexes', () => {
  it('are those whose keys can be told beforehand', () => {
    const found = uniqueIndexes([
      { name: '_id_', key: { _id: 1 } },
      { name: 'plain', key: { a: 1 } },
      {
        name: 'sku',
        key: { s: 1, sku: -1 },
        unique: true,
        sparse: true,
        partialFilterExpression: { live: true },
      },
      { name: 'hashed', key: { a: 'hashed' }, unique: true },
      { name: 'place', key: { 'a.0': 1 }, unique: true },
    ]);
    expect(found).toEqual([
      { name: 'sku', paths: ['s', 'sku'], sparse: true, filter: { live: true }, collation: undefined },
    ]);
    expect(uniqueIndexes([{ name: '_id_', key: { _id: 1 }, collation: { locale: 'de' } }])).toHaveLength(1);
  });
});

describe('the keys of a document in a unique index', () => {
  it('are the same for what MongoDB takes for the same', () => {
    const id = new ObjectId();
    const same: [unknown, unknown][] = [
      [1, new Double(1)],
      [1, new Int32(1)],
      [1, Long.fromNumber(1)],
      [0, -0],
      [null, undefined],
      [new Date(5), new Date(5)],
      [id, new ObjectId(id.toHexString())],
      [Buffer.from('ab'), new Binary(Buffer.from('ab'))],
      [
        { x: 1, y: [2] },
        { x: new Int32(1), y: [Long.fromNumber(2)] },
      ],
    ];
    for (const [a, b] of same) expect(texts({ a })).toEqual(texts({ a: b }));
    expect(texts({})).toEqual(texts({ a: null }));
  });

  it('are others for what it does not', () => {
    const others = [
      1,
      '1',
      1.5,
      true,
      'true',
      null,
      'null',
      new Date(1),
      [[1]],
      { x: 1 },
      { x: '1' },
      { x: [1] },
    ];
    const all = others.flatMap((a) => texts({ a }));
    expect(new Set(all).size).toBe(others.length);
    expect(texts({ a: { x: 1, y: 2 } })).not.toEqual(texts({ a: { y: 2, x: 1 } }));
    expect(texts({ a: [[1, 2], 3] })).not.toEqual(texts({ a: [[1], 2, 3] }));
    expect(texts({ a: Long.fromString('9007199254740993') })).not.toEqual(texts({ a: 9007199254740992 }));
  });

  it('are one for each item of a list', () => {
    expect(texts({ a: [1, 2] })).toEqual([...texts({ a: 1 }), ...texts({ a: 2 })]);
    expect(texts({ a: [{ b: 1 }, {}] }, on(['a.b']))).toEqual(['1', 'null']);
    expect(texts({ s: 'x', a: [1, 2] }, on(['s', 'a']))).toHaveLength(2);
  });

  it('are none where they cannot be told', () => {
    for (const a of [[], new Decimal128('1'), /x/, [new Decimal128('1')]]) expect(texts({ a })).toEqual([]);
    for (const a of [[1, { b: 2 }], [[{ b: 1 }, { b: 2 }]]]) expect(texts({ a }, on(['a.b']))).toEqual([]);
    expect(texts({ a: [1, 2], b: [1, 2] }, on(['a', 'b']))).toEqual([]);
  });

  it('are none in a sparse index that has none of the fields', () => {
    const sparse = on(['a', 'b'], { sparse: true });
    expect(texts({ c: 1 }, sparse)).toEqual([]);
    expect(texts({ b: 1 }, sparse)).toHaveLength(1);
    expect(texts({ a: null }, on(['a'], { sparse: true }))).toEqual(['null']);
  });

  it('follow the collation of the index, in lists and objects too', () => {
    const lower = (text: string): string => text.toLowerCase();
    expect(texts({ a: 'É' }, on(['a']), lower)).toEqual(texts({ a: 'é' }, on(['a']), lower));
    expect([...textsIn(['a', { b: ['c', 1], d: new Date() }])]).toEqual(['a', 'c']);
  });
});
