import * as fc from 'fast-check';
import { runs } from '../../../../test/support/runs';
import mongoose from 'mongoose';
import { encodeDocument } from '../collections/wire-codec';
import type { JsonObject } from '../protocol/json';
import { mergeFields, type Side } from './merge';

const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'toString');
const leaf = fc.oneof(
  fc.integer({ min: 0, max: 2 }),
  fc.constantFrom(null, '', 'x'),
  fc.array(fc.nat({ max: 1 }), { maxLength: 2 }),
);
/** Few keys and values, so that the sides often agree, and objects in objects. */
const document = fc.letrec<{ object: JsonObject }>((tie) => ({
  object: fc
    .array(fc.tuple(key, fc.oneof({ maxDepth: 3 }, leaf, tie('object'))), { maxLength: 4 })
    .map((entries) => Object.fromEntries(entries) as JsonObject),
})).object;
const newer = fc.constantFrom('ours' as const, 'theirs' as const);

function side(wire: JsonObject): Side {
  return { stored: wire, wire };
}

function merge(base: JsonObject, ours: JsonObject, theirs: JsonObject, who: 'ours' | 'theirs'): unknown {
  return mergeFields(base, side(ours), side(theirs), who);
}

function at(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? (object as JsonObject)[name]
    : undefined;
}

describe('the merge by field', () => {
  it('takes what only one side has changed', () => {
    fc.assert(
      fc.property(document, document, newer, (base, changed, who) => {
        expect(merge(base, changed, base, who)).toStrictEqual(changed);
        expect(merge(base, base, changed, who)).toStrictEqual(changed);
        expect(merge(base, changed, changed, who)).toStrictEqual(changed);
      }),
      runs(2000),
    );
  });

  it('takes every field from one of the sides, or merges two objects inside', () => {
    fc.assert(
      fc.property(document, document, document, newer, (base, ours, theirs, who) => {
        const result = merge(base, ours, theirs, who);
        const names = [base, ours, theirs, result].flatMap((each) => Object.keys(each as object));
        for (const name of new Set(names)) {
          const [was, our, their, got] = [base, ours, theirs, result].map((each) => at(each, name));
          const objects = [was, our, their].every(
            (each) => typeof each === 'object' && each !== null && !Array.isArray(each),
          );
          if (objects)
            expect(got).toStrictEqual(merge(was as JsonObject, our as JsonObject, their as JsonObject, who));
          else {
            const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
            const expected = same(our, was) ? their : same(their, was) ? our : who === 'ours' ? our : their;
            expect(got).toStrictEqual(expected);
          }
        }
      }),
      runs(2000),
    );
  });

  it('says the same when the sides are exchanged, names included', () => {
    fc.assert(
      fc.property(document, document, document, newer, (base, ours, theirs, who) => {
        const other = who === 'ours' ? 'theirs' : 'ours';
        expect(merge(base, theirs, ours, other)).toStrictEqual(merge(base, ours, theirs, who));
      }),
      runs(2000),
    );
  });

  it('does not change when a side is merged in a second time', () => {
    fc.assert(
      fc.property(document, document, document, newer, (base, ours, theirs, who) => {
        const once = merge(base, ours, theirs, who) as JsonObject;
        expect(merge(theirs, once, theirs, who)).toStrictEqual(once);
      }),
      runs(1000),
    );
  });

  it('takes values that travel as objects as a whole, from the newer side', () => {
    const { Timestamp } = mongoose.mongo.BSON;
    const plain = { inner: { pattern: 'p', options: '' } };
    const kinds = [1, 2, 3].map((n) => ({
      like: new RegExp(`n${String(n)}`),
      at: new Timestamp({ t: n, i: n }),
      inner: n === 1 ? plain.inner : new RegExp(`n${String(n)}`),
    }));
    const [base, ours, theirs] = kinds.map((stored) => ({ stored, wire: encodeDocument(stored) }));
    for (const [who, winner] of [
      ['ours', ours],
      ['theirs', theirs],
    ] as const)
      expect(mergeFields(base!.wire, ours!, theirs!, who)).toStrictEqual(winner!.stored);
    // Fields on one side, a value on the other: nothing to mix.
    const fields = { stored: plain, wire: { inner: { pattern: 'q', options: '' } } };
    const value = { stored: { inner: /x/ }, wire: encodeDocument({ inner: /x/ }) };
    for (const [one, other] of [
      [fields, value],
      [value, fields],
    ] as const)
      for (const who of ['ours', 'theirs'] as const)
        expect(mergeFields(encodeDocument(plain), one, other, who)).toStrictEqual(
          (who === 'ours' ? one : other).stored,
        );
  });

  it('merges inside objects without a prototype, and gives a document that may be changed', () => {
    const bare = (a: number, b: number): JsonObject => {
      const inner: Record<string, number> = Object.setPrototypeOf({ a, b }, null);
      return { in: inner };
    };
    const merged = mergeFields(bare(1, 1), side(bare(2, 1)), side(bare(1, 2)), 'ours');
    expect(merged).toEqual({ in: { a: 2, b: 2 } });
    merged.in = 'changed';
    expect(delete merged.in).toBe(true);
    expect(merged).toEqual({});
  });

  it('keeps stored values as they are: dates, ids, bytes and regular expressions', () => {
    const { ObjectId, Decimal128, Binary } = mongoose.mongo.BSON;
    const stored = (n: number): Record<string, unknown> => ({
      at: new Date(n),
      by: new ObjectId(String(n).padStart(24, '0')),
      price: Decimal128.fromString(`${String(n)}.10`),
      bytes: new Binary(Buffer.from([n])),
      like: new RegExp(`n${String(n)}`, 'i'),
      inner: { at: new Date(n), fixed: 1 },
    });
    const full = (each: Record<string, unknown>): Side => ({ stored: each, wire: encodeDocument(each) });
    const merged = mergeFields(encodeDocument(stored(1)), full(stored(2)), full(stored(3)), 'theirs');
    expect(merged).toStrictEqual(stored(3));
    expect(mergeFields(encodeDocument(stored(1)), full(stored(2)), full(stored(1)), 'theirs')).toStrictEqual(
      stored(2),
    );
  });
});
