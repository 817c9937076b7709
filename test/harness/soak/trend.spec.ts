import fc from 'fast-check';
import { drift, quantile, slope } from './trend';

const finite = fc.double({ noNaN: true, min: -1e6, max: 1e6 });

describe('the slope of a series', () => {
  it('is that of the line that the points lie on, wherever it begins', () => {
    fc.assert(
      fc.property(finite, finite, fc.integer({ min: 2, max: 50 }), (start, rise, count) => {
        const points = Array.from({ length: count }, (_, at) => ({ at, value: start + rise * at }));
        expect(slope(points)).toBeCloseTo(rise, 3);
      }),
    );
  });

  it('is flat for noise without a trend, and for too few points', () => {
    expect(slope([1, -1, -1, 1].map((value, at) => ({ at, value })))).toBe(0);
    expect(slope([{ at: 5, value: 7 }])).toBe(0);
    expect(slope([])).toBe(0);
  });
});

describe('a quantile', () => {
  it('is one of the values, with the right share below it', () => {
    const values = Array.from({ length: 100 }, (_, index) => 99 - index);
    expect([0, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([0, 50, 99, 99]);
    expect(quantile([], 0.5)).toBe(0);
  });
});

describe('the drift of a series', () => {
  it('compares its end with its beginning, whatever single points do', () => {
    const steady = [3, 3, 90, 3, 3, 3, 3, 3, 3].map((value, at) => ({ at, value }));
    expect(drift(steady)).toBe(1);
    expect(drift(steady.slice(0, 2))).toBe(1);
    expect(drift(steady.map(({ at, value }) => ({ at, value: at < 6 ? value : 2 * value })))).toBe(2);
  });
});
