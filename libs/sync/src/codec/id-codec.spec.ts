import fc from 'fast-check';
import { isDocId, type DocId } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import mongoose from 'mongoose';
import { documentKey } from '../plan/plan';
import { globalIds, scopedIds, type IdKind } from './id-codec';

const bson = { ObjectId: mongoose.mongo.ObjectId, UUID: mongoose.mongo.UUID };
const HEX = '507f1f77bcf86cd799439011';

const anyId: fc.Arbitrary<DocId> = fc
  .oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.maxSafeInteger(), fc.uuid(), fc.constant(HEX))
  .filter(isDocId);
const anyScope = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });

/** What MongoDB compares ids by. */
function bytesOf(storedId: unknown): string {
  return Buffer.from(mongoose.mongo.BSON.serialize({ i: storedId })).toString('hex');
}

describe('global ids', () => {
  it.each<[IdKind, DocId]>([
    ['string', 'a'],
    ['string', 'abcdefghijkl'],
    ['string', '["s","x"]'],
    ['number', 5],
    ['objectId', HEX],
    ['uuid', '0f9a3c1e-1b2d-4c3f-8a4b-5c6d7e8f9a0b'],
    ['free', 'x'],
    ['free', HEX],
    ['free', 1],
  ])('round trip %s %j', (kind, id) => {
    const codec = globalIds(kind, bson);
    expect(codec.toWire(codec.toStored('s', id))).toBe(id);
  });

  it.each<[IdKind, DocId]>([
    ['string', 5],
    ['string', ''],
    ['string', 'a\0b'],
    ['string', '\ud800'],
    ['number', '5'],
    ['number', 1.5],
    ['number', 2 ** 53],
    ['number', NaN],
    ['objectId', 'abcdefghijkl'],
    ['objectId', 12],
    ['objectId', `${HEX}0`],
    ['objectId', `${HEX}\n`],
    ['objectId', 'g07f1f77bcf86cd799439011'],
    ['uuid', HEX],
    ['uuid', '0f9a3c1e1b2d4c3f8a4b5c6d7e8f9a0b'],
    ['free', 'x'.repeat(257)],
  ])('%s never holds %j', (kind, id) => {
    expect(globalIds(kind, bson).toStored('s', id)).toBeUndefined();
  });

  it('makes one ObjectId of either case, shown in lower case', () => {
    const codec = globalIds('objectId', bson);
    const stored = codec.toStored('s', HEX.toUpperCase());
    expect(stored).toBeInstanceOf(mongoose.mongo.ObjectId);
    expect(codec.toWire(stored)).toBe(HEX);
  });

  it('stores -0 as 0', () => {
    expect(Object.is(globalIds('free', bson).toStored('s', -0), 0)).toBe(true);
    expect(scopedIds('free').toStored('s', -0)).toBe(scopedIds('free').toStored('s', 0));
  });

  it('keeps 1 and "1" apart', () => {
    const codec = globalIds('free', bson);
    expect(bytesOf(codec.toStored('s', 1))).not.toBe(bytesOf(codec.toStored('s', '1')));
  });

  it('shows also an id that no client can have made', () => {
    const codec = globalIds('objectId', bson);
    expect(codec.toWire('legacy')).toBe('legacy');
    expect(codec.toWire({ a: new Date(0) })).toBe('{"a":"1970-01-01T00:00:00.000Z"}');
    expect(codec.toWire(null)).toBe('null');
  });

  it('gives different ids different stored ids', () => {
    const codec = globalIds('free', bson);
    fc.assert(
      fc.property(anyId, anyId, (a, b) => {
        const same = bytesOf(codec.toStored('s', a)) === bytesOf(codec.toStored('s', b));
        expect(same).toBe(Object.is(a, b) || (a === 0 && b === 0));
      }),
    );
  });
});

describe('ids of every kind', () => {
  const kinds = fc.constantFrom<IdKind>('string', 'number', 'objectId', 'uuid', 'free');
  const hex = fc.string({ unit: fc.constantFrom(...'0aAfF9'), minLength: 24, maxLength: 24 });
  const uuid = fc.uuid().map((text) => (text.charCodeAt(0) % 2 === 0 ? text.toUpperCase() : text));
  const id = fc.oneof(anyId, hex, uuid, fc.constantFrom<DocId>(0, -0, 1, '0', '1', HEX, HEX.toUpperCase()));

  it('meet in one stored document exactly when clients see them as the same', () => {
    let met = 0;
    const often = runs(3000);
    fc.assert(
      fc.property(kinds, fc.boolean(), id, id, fc.boolean(), (kind, scoped, one, two, twin) => {
        const codec = scoped ? scopedIds(kind) : globalIds(kind, bson);
        const other = !twin ? two : typeof one === 'string' ? one.toUpperCase() : String(one);
        const [a, b] = [one, other].map((each) => codec.toStored('s', each));
        if (a === undefined || b === undefined) return;
        met++;
        const [wireA, wireB] = [codec.toWire(a), codec.toWire(b)];
        const same = bytesOf(a) === bytesOf(b);
        expect(wireA === wireB).toBe(same);
        expect(documentKey('c', a, wireA) === documentKey('c', b, wireB)).toBe(same);
        // What clients are shown is the same id again.
        expect(bytesOf(codec.toStored('s', wireA))).toBe(bytesOf(a));
      }),
      often,
    );
    expect(met).toBeGreaterThan(often.numRuns / 30);
  });
});

describe('scoped ids', () => {
  it('round trip, whatever scope and id look like', () => {
    const codec = scopedIds('free');
    fc.assert(
      fc.property(anyScope, anyId, (scope, id) => {
        const stored = codec.toStored(scope, id);
        expect(typeof stored).toBe('string');
        expect(codec.toWire(stored)).toBe(id === 0 ? 0 : id);
      }),
    );
  });

  it('are injective over scope and id', () => {
    const codec = scopedIds('free');
    const tricky = fc.constantFrom('a', 'a"', '","', '["a","b"]', '\\', 'a\\"', '1', ',1]');
    const scope = fc.oneof(tricky, anyScope);
    const id = fc.oneof(tricky, fc.constantFrom<DocId>(1, '1', 0, '0'), anyId);
    fc.assert(
      fc.property(scope, id, scope, id, (scopeA, idA, scopeB, idB) => {
        const same = codec.toStored(scopeA, idA) === codec.toStored(scopeB, idB);
        expect(same).toBe(scopeA === scopeB && idA === idB);
      }),
      runs(2000),
    );
  });

  it('keep 1 and "1" apart', () => {
    const codec = scopedIds('free');
    expect(codec.toStored('s', 1)).not.toBe(codec.toStored('s', '1'));
    expect(codec.toWire(codec.toStored('s', 1))).toBe(1);
    expect(codec.toWire(codec.toStored('s', '1'))).toBe('1');
  });

  it('of strings take no numbers', () => {
    expect(scopedIds('string').toStored('s', 1)).toBeUndefined();
  });

  it('show an id as it is that was not stored through the engine', () => {
    for (const id of ['plain', '["broken', '[1,2,3]', '["s",{}]'])
      expect(scopedIds('free').toWire(id)).toBe(id);
  });
});
