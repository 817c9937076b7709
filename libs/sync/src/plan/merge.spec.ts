import assert from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { isObject, type JsonObject } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import mongoose from 'mongoose';
import { encodeDocument } from '../codec/wire-codec';
import { mergeFields, type IncomingSide } from './merge';

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

function side(wire: JsonObject): IncomingSide {
  return { stored: wire, wire, sent: wire };
}

/** A document of stored values, sent as clients see them. */
function full(stored: Record<string, unknown>): IncomingSide {
  const wire = encodeDocument(stored);
  return { stored, wire, sent: wire };
}

function merge(base: JsonObject, ours: JsonObject, theirs: JsonObject, who: 'ours' | 'theirs'): unknown {
  return mergeFields(base, side(ours), side(theirs), who);
}

function at(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? (object as JsonObject)[name]
    : undefined;
}

/** Every value that is no object with fields, by its path, as text. */
function leaves(object: JsonObject, path = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(object)) {
    const here = `${path}/${name}`;
    const isBranch = isObject(value) && Object.keys(value).length > 0;
    for (const [below, leaf] of isBranch ? leaves(value, here) : [[here, JSON.stringify(value)] as const])
      found.set(below, leaf);
  }
  return found;
}

function isInner(all: ReadonlyMap<string, string>, path: string): boolean {
  return [...all.keys()].some((each) => each.startsWith(`${path}/`));
}

/** A copy with one field set, or taken away. */
function edited(object: JsonObject, path: string, value: number | null): JsonObject {
  const [name = '', ...rest] = path.split('.');
  const { [name]: inner, ...others } = object;
  if (rest.length > 0) return { ...others, [name]: edited(inner as JsonObject, rest.join('.'), value) };
  return value === null ? others : { ...others, [name]: value };
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
      like: new RegExp(`n${n}`),
      at: new Timestamp({ t: n, i: n }),
      inner: n === 1 ? plain.inner : new RegExp(`n${n}`),
    }));
    const [base, ours, theirs] = kinds.map(full);
    for (const [who, winner] of [
      ['ours', ours],
      ['theirs', theirs],
    ] as const)
      expect(mergeFields(base!.wire, ours!, theirs!, who)).toStrictEqual(winner!.stored);
    // Fields on one side, a value on the other: nothing to mix.
    const wire = { inner: { pattern: 'q', options: '' } };
    const fields = { stored: plain, wire, sent: wire };
    const value = full({ inner: /x/ });
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

  it('takes every value, however deep, from the same place of one of the sides, and an array as one value', () => {
    fc.assert(
      fc.property(document, document, document, newer, (base, ours, theirs, who) => {
        const [mine, others] = [leaves(ours), leaves(theirs)];
        for (const [path, value] of leaves(merge(base, ours, theirs, who) as JsonObject)) {
          // An object that both sides have emptied, each of other fields, is empty.
          if (value === '{}') assert(mine.has(path) || isInner(mine, path) || others.has(path));
          else assert(mine.get(path) === value || others.get(path) === value, path);
        }
      }),
      runs(2000),
    );
  });

  it('loses no field that nobody touched, and brings none back that one side has taken away', () => {
    fc.assert(
      fc.property(document, document, document, newer, (base, ours, theirs, who) => {
        const result = merge(base, ours, theirs, who);
        for (const name of Object.keys({ ...base, ...ours, ...theirs })) {
          const [was, our, their, got] = [base, ours, theirs, result].map((each) => at(each, name));
          if (isDeepStrictEqual(our, was) && isDeepStrictEqual(their, was)) expect(got).toStrictEqual(was);
          if (our === undefined && isDeepStrictEqual(their, was)) expect(got).toBeUndefined();
          if (their === undefined && isDeepStrictEqual(our, was)) expect(got).toBeUndefined();
          // Taken away here and changed there: the newer side has it.
          if (our === undefined && their !== undefined && !isDeepStrictEqual(their, was) && was !== undefined)
            expect(got).toStrictEqual(who === 'ours' ? undefined : their);
        }
      }),
      runs(2000),
    );
  });

  it('does not care which side is which, apart from fields that both have changed', () => {
    fc.assert(
      fc.property(document, document, document, newer, (base, ours, theirs, who) => {
        const [one, other] = [merge(base, ours, theirs, who), merge(base, theirs, ours, who)];
        for (const name of Object.keys({ ...base, ...ours, ...theirs })) {
          const [was, our, their] = [base, ours, theirs].map((each) => at(each, name));
          const both = !isDeepStrictEqual(our, was) && !isDeepStrictEqual(their, was);
          if (!both || isDeepStrictEqual(our, their)) expect(at(one, name)).toStrictEqual(at(other, name));
        }
      }),
      runs(2000),
    );
  });

  it('joins edits of different fields to the same document in whatever order they come', () => {
    const edits = fc.uniqueArray(
      fc.record({
        path: fc.constantFrom('a', 'b', 'o.a', 'o.b', 'o.p.a', 'o.p.b'),
        value: fc.option(fc.integer({ min: 3, max: 9 })),
      }),
      { selector: (edit) => edit.path, minLength: 1 },
    );
    const order = edits.chain((each) =>
      fc.tuple(fc.constant(each), fc.shuffledSubarray(each, { minLength: each.length })),
    );
    fc.assert(
      fc.property(order, newer, ([given, shuffled], who) => {
        const base = { a: 1, b: 2, kept: 0, o: { a: 1, b: 2, kept: 0, p: { a: 1, b: 2, kept: 0 } } };
        const joined = (some: typeof given): unknown =>
          some.reduce<JsonObject>(
            (stored, edit) => merge(base, stored, edited(base, edit.path, edit.value), who) as JsonObject,
            base,
          );
        const all = given.reduce<JsonObject>((done, edit) => edited(done, edit.path, edit.value), base);
        expect(joined(given)).toStrictEqual(all);
        expect(joined(shuffled)).toStrictEqual(all);
      }),
      runs(1000),
    );
  });

  it('changes neither the base nor the sides', () => {
    fc.assert(
      fc.property(document, document, document, newer, (...[base, ours, theirs, who]) => {
        const before = structuredClone([base, ours, theirs]);
        merge(base, ours, theirs, who);
        expect([base, ours, theirs]).toStrictEqual(before);
      }),
      runs(500),
    );
  });

  it('keeps stored values as they are: dates, ids, bytes and regular expressions', () => {
    const { ObjectId, Decimal128, Binary } = mongoose.mongo.BSON;
    const stored = (n: number): Record<string, unknown> => ({
      at: new Date(n),
      by: new ObjectId(String(n).padStart(24, '0')),
      price: Decimal128.fromString(`${n}.10`),
      bytes: new Binary(Buffer.from([n])),
      like: new RegExp(`n${n}`, 'i'),
      inner: { at: new Date(n), fixed: 1 },
    });
    const merged = mergeFields(encodeDocument(stored(1)), full(stored(2)), full(stored(3)), 'theirs');
    expect(merged).toStrictEqual(stored(3));
    expect(mergeFields(encodeDocument(stored(1)), full(stored(2)), full(stored(1)), 'theirs')).toStrictEqual(
      stored(2),
    );
  });
});
