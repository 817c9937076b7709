import fc from 'fast-check';
import '../../../../test/support/runs';
import { parsePushRequest, type PushResult } from 'nest-offline-sync-protocol';
import { Newest, refusedOf, shortJson } from './refused-batch';

const change = (n: number) => ({ collection: 'notes', operation: 'upsert', doc_id: `d${n}`, data: { n } });
const result = (part: Partial<PushResult>): PushResult => ({
  ...{ doc_id: 'd', status: 'rejected', new_version: null, server_version: null },
  ...{ code: 'conflict_stale', error: 'why', ...part },
});
const of = (changes: readonly object[], results: readonly PushResult[], bytes = 0) =>
  refusedOf(parsePushRequest({ client_id: 'c', changes }, 1_000), changes, results, bytes);

describe('what of a push is kept for operators', () => {
  it('has a reason of its own, and was not answered before', () => {
    const results = [
      result({ status: 'accepted', code: null }),
      result({ code: 'validation_failed' }),
      result({ code: 'batch_rolled_back' }),
      result({ replayed: true }),
    ];
    expect(of([0, 1, 2, 3].map(change), results).map(({ code }) => code)).toEqual(['validation_failed']);
  });

  it('has no body unless bodies are kept, nor one that is too long', () => {
    expect(of([change(1)], [result({})])[0]).not.toHaveProperty('body');
    expect(of([change(1)], [result({})], 10)[0]).not.toHaveProperty('body');
    expect(JSON.parse(of([change(1)], [result({})], 1_000)[0]?.body ?? '')).toEqual(change(1));
  });

  it('says what it can of a change that is none', () => {
    const [first] = of(
      [{ collection: 'notes', operation: 'x' }],
      [result({ code: 'invalid_change' })],
      1_000,
    );
    expect(first).toEqual({
      ...{ collection: 'notes', docId: 'd', operation: null, mutation: null },
      ...{ code: 'invalid_change', error: 'why' },
    });
  });

  it('is bounded, however much is refused', () => {
    const all = Array.from({ length: 500 }, (_, n) => change(n));
    expect(
      of(
        all,
        all.map(() => result({ error: 'x'.repeat(5_000) })),
      ),
    ).toHaveLength(20);
    expect(of([change(1)], [result({ error: 'x'.repeat(5_000) })])[0]?.error).toHaveLength(500);
  });
});

describe('short JSON', () => {
  const jsonValue = fc.oneof(
    fc.jsonValue(),
    fc.array(fc.constantFrom(0, null, undefined), { maxLength: 90 }),
  );

  it('is the JSON of a value, unless that is longer', () => {
    fc.assert(
      fc.property(jsonValue, fc.nat(200), (value, limit) => {
        const text = JSON.stringify(value);
        expect(shortJson(value, limit)).toBe(text.length <= limit ? text : undefined);
      }),
    );
  });

  it('gives up on the way', () => {
    let read = 0;
    const parts = Array.from({ length: 10_000 }, () => ({ toJSON: () => String((read += 1)) }));
    expect(shortJson(parts, 100)).toBeUndefined();
    expect(read).toBeLessThan(110);
  });
});

describe('the newest', () => {
  it('are the last ones of all that were added, each taken once', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat())), fc.integer({ min: 1, max: 9 }), (all, limit) => {
        const newest = new Newest<number>(limit);
        for (const some of all) newest.add(some);
        expect(newest.take()).toEqual(all.flat().slice(-limit));
        expect(newest.take()).toEqual([]);
      }),
    );
  });
});
