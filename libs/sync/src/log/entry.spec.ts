import fc from 'fast-check';
import mongoose from 'mongoose';
import { runs } from '../../../../test/support/runs';
import { RawEntry, RawInsert, StreamChange } from './entry';

describe('an entry on its way to subscribers', () => {
  const json = '{"title":"Grüße 😀"}';

  it('weighs its bytes, not its characters', () => {
    const entry = new StreamChange('v', 1, Buffer.from(json));
    expect(entry.kind).toBe('change');
    expect(entry.bytes).toBe(Buffer.byteLength(json));
    expect(entry.json).toBe(json);
  });

  it('is the same as the change stream gives it, with its collection', () => {
    const { version, seq, wire, collection, bytes } = new StreamChange('v', 2, Buffer.from('{}'), 'tasks');
    expect({ version, seq, wire: wire.toString(), collection, bytes }).toEqual({
      version: 'v',
      seq: 2,
      wire: '{}',
      collection: 'tasks',
      bytes: 2,
    });
  });
});

const { BSON, Double, Long, Timestamp } = mongoose.mongo;

function bytesOf(document: object): Buffer {
  return Buffer.from(BSON.serialize(document));
}

const ENTRY = { seq: 7, version: '20260502T120000.000Z-0001-a1b2', wire: '{"seq":7}' };

describe('the bytes of an entry', () => {
  it('tell what the driver would make of them, whatever else is there', () => {
    const text = fc.string({ unit: 'grapheme' });
    const others = fc.dictionary(
      fc.constantFrom('collection', 'actor', 'w', 'wires', 'se', 'versio'),
      fc.oneof(
        text,
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.date({ noInvalidDate: true }),
        fc.uint8Array().map((given) => new mongoose.mongo.Binary(given)),
        fc.constant(new mongoose.mongo.ObjectId()),
        fc.constant(mongoose.mongo.Decimal128.fromString('1.5')),
        fc.constant(/a/i),
        fc.record({ wire: text, seq: fc.integer() }),
        fc.array(text),
      ),
    );
    fc.assert(
      fc.property(
        others,
        text,
        text,
        fc.maxSafeInteger(),
        fc.boolean(),
        (before, version, wire, seq, last) => {
          const own = { seq, version, wire };
          const bytes = bytesOf(last ? { ...before, ...own } : { ...own, ...before });
          const decoded = BSON.deserialize(bytes);
          const entry = new RawEntry(bytes);
          expect(entry).toMatchObject({
            seq: decoded['seq'] as number,
            version: decoded['version'] as string,
          });
          expect(entry.wire.toString()).toBe(decoded['wire']);
        },
      ),
      runs(500),
    );
  });

  it.each([Long.fromNumber(2 ** 40), new Double(7), 7, 2 ** 40])('take %p for a number', (seq) => {
    expect(new RawEntry(bytesOf({ ...ENTRY, seq })).seq).toBe(Number(seq));
  });

  it('are found anywhere in a batch', () => {
    const batch = Buffer.concat([bytesOf({ x: 1 }), bytesOf(ENTRY)]);
    const entry = new RawEntry(batch.subarray(bytesOf({ x: 1 }).length));
    expect([entry.seq, entry.version, entry.wire.toString()]).toEqual([7, ENTRY.version, ENTRY.wire]);
  });

  it.each([{}, { ...ENTRY, wire: 5 }, { ...ENTRY, version: null }, { seq: 1, wire: '{}' }])(
    'are refused when a field is not what the engine writes: %p',
    (document) => {
      expect(() => new RawEntry(bytesOf(document))).toThrow('lacks');
    },
  );

  it('are refused when they are broken', () => {
    const bytes = bytesOf(ENTRY);
    bytes[4] = 0x20;
    expect(() => new RawEntry(bytes)).toThrow('no BSON');
    expect(() => new RawEntry(bytesOf(ENTRY).subarray(0, 20))).toThrow();
  });
});

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
        const event = new RawInsert(eventOf(time, entry));
        const { version, seq, wire, collection } = event.change();
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
    const { wire } = new RawInsert(bytes).change();
    bytes.fill(0);
    expect(wire.toString()).toBe('{}');
  });

  it('are refused when they tell of no entry', () => {
    expect(() => new RawInsert(Buffer.from(BSON.serialize({ operationType: 'drop' })))).toThrow('lacks');
    expect(() => new RawInsert(eventOf(1n, { seq: 1 })).scope).toThrow('lacks');
  });
});
