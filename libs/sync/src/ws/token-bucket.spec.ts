import { TokenBucket } from './token-bucket';

describe('TokenBucket', () => {
  it('passes a burst, then the rate', () => {
    const bucket = new TokenBucket(3, 2, 0);
    const passed = (now: number): number => {
      let count = 0;
      while (bucket.tryConsume(now)) count += 1;
      return count;
    };
    expect(passed(0)).toBe(3);
    expect(passed(499)).toBe(0);
    expect(passed(1_000)).toBe(2);
    expect(passed(60_000)).toBe(3);
  });
});
