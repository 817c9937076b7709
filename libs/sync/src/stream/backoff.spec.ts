import { backoffMs } from './backoff';

describe('backoffMs', () => {
  it('doubles its longest wait with every failure, up to two seconds', () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 100, 10_000].map((failures) => backoffMs(failures, 1));
    expect(longest).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000, 2_000]);
  });

  it('draws from all of that time, so that processes do not come back together', () => {
    expect([0, 0.25, 0.5].map((random) => backoffMs(3, random))).toEqual([0, 100, 200]);
  });
});
