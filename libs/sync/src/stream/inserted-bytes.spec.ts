import fc from 'fast-check';
import mongoose from 'mongoose';
import { runs } from '../../../../test/support/runs';
import { InsertedBytes } from './inserted-bytes';

const { BSON, Timestamp } = mongoose.mongo;

const text = fc.string({ unit: 'grapheme' });
const written = fc.record({
  scope: text,
  seq: fc.maxSafeInteger(),
  version: text,
  collection: text,
  wire: text,
  at: fc.date({ noInvalidDate: true }),
});

function eventOf(time: bigint, fullDocument: object): Buffer {
  const clusterTime = new Timestamp(time);
  return Buffer.from(BSON.serialize({ _id: { _data: 'token' }, clusterTime, fullDocument, scope: 'none' }));
}

describe('the bytes of an event', () => {
  it('tell what was written', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), written, (time, entry) => {
        const event = new InsertedBytes(eventOf(time, entry));
        const { version, seq, wire, collection } = event.live();
        expect({ version, seq, wire: wire.toString(), collection }).toEqual({
          version: entry.version,
          seq: entry.seq,
          wire: entry.wire,
          collection: entry.collection,
        });
        expect([event.scope, event.writtenAt, event.clusterTime]).toEqual([
          entry.scope,
          entry.at.getTime(),
          time,
        ]);
      }),
      runs(500),
    );
  });

  it('are not kept by who keeps the entry', () => {
    const bytes = eventOf(1n, {
      scope: 's',
      seq: 1,
      version: 'v',
      collection: 'c',
      wire: '{}',
      at: new Date(),
    });
    const { wire } = new InsertedBytes(bytes).live();
    bytes.fill(0);
    expect(wire.toString()).toBe('{}');
  });

  it('are refused when they tell of no entry', () => {
    expect(() => new InsertedBytes(Buffer.from(BSON.serialize({ operationType: 'drop' })))).toThrow('lacks');
    expect(() => new InsertedBytes(eventOf(1n, { seq: 1 })).scope).toThrow('lacks');
  });
});
