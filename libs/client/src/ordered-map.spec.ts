import fc from 'fast-check';
import '../../../test/support/runs.ts';
import { compareKeys, OrderedMap } from './ordered-map.ts';

const key = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.constantFrom('', '1', 'a', 'b', 'é', '\ud800', '\uffff'),
);

it('walks as a sorted list does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(key, fc.option(fc.nat(9), { nil: undefined })), { maxLength: 100 }),
      fc.record({
        from: fc.option(key, { nil: undefined }),
        above: fc.option(key, { nil: undefined }),
        to: fc.option(key, { nil: undefined }),
        limit: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
        reverse: fc.boolean(),
      }),
      (writes, range) => {
        const map = new OrderedMap<string | number, number>();
        const plain = new Map<string | number, number>();
        for (const [at, value] of writes) {
          map.set(at, value);
          if (value === undefined) plain.delete(at);
          else plain.set(at, value);
          map.range({});
        }
        const expected = [...plain]
          .sort(([a], [b]) => compareKeys(a, b))
          .filter(([at]) => range.from === undefined || compareKeys(at, range.from) >= 0)
          .filter(([at]) => range.above === undefined || compareKeys(at, range.above) > 0)
          .filter(([at]) => range.to === undefined || compareKeys(at, range.to) <= 0);
        if (range.reverse) expected.reverse();
        expect(map.range(range)).toEqual(expected.slice(0, range.limit));
        expect(map.size).toBe(plain.size);
      },
    ),
  );
});
