import fc from 'fast-check';
import { percentiles, quantile, summarize } from './summary';

describe('summarize', () => {
  it('gives the middle value, or the mean of the two in the middle', () => {
    expect(summarize([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  });

  it('has nothing to say about nothing', () => {
    expect(() => summarize([])).toThrow(RangeError);
  });

  it('keeps the median inside the spread', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const { median, min, max } = summarize(values);
        expect(min <= median && median <= max).toBe(true);
      }),
    );
  });
});

describe('quantile', () => {
  it('is a value that was measured: of a hundred, p99 is the second largest', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(percentiles(hundred.reverse())).toEqual({ p50: 50, p99: 99 });
    expect(quantile([7], 0.99)).toBe(7);
  });

  it('is NaN when nothing was measured', () => {
    expect(quantile([], 0.5)).toBeNaN();
  });
});
