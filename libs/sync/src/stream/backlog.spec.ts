import fc from 'fast-check';
import '../../../../test/support/runs';
import { FIRST_PAGE_ENTRIES, nextPageEntries } from './backlog';

const entries = (count: number, bytes: number): { bytes: number }[] =>
  Array.from({ length: count }, () => ({ bytes }));

describe('nextPageEntries', () => {
  it('fills the target with entries like the last ones', () => {
    expect(nextPageEntries(entries(50, 2_000), 1_000_000)).toBe(500);
    expect(nextPageEntries([], 1_000_000)).toBe(FIRST_PAGE_ENTRIES);
  });

  it('stays between 10 and 1000', () => {
    const sizes = fc.array(fc.record({ bytes: fc.nat({ max: 1 << 20 }) }), { maxLength: 50 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1024, max: 1 << 24 }), (page, target) => {
        const next = nextPageEntries(page, target);
        expect(next).toBeGreaterThanOrEqual(10);
        expect(next).toBeLessThanOrEqual(1_000);
      }),
    );
  });
});
