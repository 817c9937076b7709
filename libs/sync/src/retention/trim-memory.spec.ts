import { TrimMemory } from './trim-memory';

const HOUR_MS = 3_600_000;
const NOW = 1_777_000_000_000;

describe('TrimMemory', () => {
  it('knows nothing of a scope at first: it has to be looked at', () => {
    const memory = new TrimMemory();
    expect(memory.mayHaveExpired('a', NOW)).toBe(true);
    expect(memory.clearedSeq('a')).toBe(0);
  });

  it('lets a scope alone until its oldest entry becomes too old, and for an hour at the most', () => {
    const memory = new TrimMemory();
    memory.oldestExpires('soon', NOW + 60_000, NOW);
    memory.oldestExpires('late', NOW + 30 * HOUR_MS, NOW);
    expect([NOW + 59_999, NOW + 60_000].map((now) => memory.mayHaveExpired('soon', now))).toEqual([
      false,
      true,
    ]);
    expect([NOW + HOUR_MS - 1, NOW + HOUR_MS].map((now) => memory.mayHaveExpired('late', now))).toEqual([
      false,
      true,
    ]);
    expect(memory.mayHaveExpired('another', NOW)).toBe(true);
  });

  it('looks again at once at a scope of which no entry stays', () => {
    const memory = new TrimMemory();
    memory.oldestExpires('a', NOW + HOUR_MS, NOW);
    memory.oldestExpires('a', undefined, NOW);
    expect(memory.mayHaveExpired('a', NOW)).toBe(true);
  });

  it('keeps what was deleted and when to look apart', () => {
    const memory = new TrimMemory();
    memory.cleared('a', 7);
    memory.oldestExpires('a', NOW + 60_000, NOW);
    expect(memory.clearedSeq('a')).toBe(7);
    memory.cleared('a', 9);
    expect(memory.mayHaveExpired('a', NOW)).toBe(false);
    expect([memory.clearedSeq('a'), memory.clearedSeq('b')]).toEqual([9, 0]);
    memory.cleared('b', 2);
    expect(memory.mayHaveExpired('b', NOW)).toBe(true);
  });

  it('holds a hundred thousand scopes and no more, and forgets none while it only updates them', () => {
    const memory = new TrimMemory();
    for (let scope = 1; scope <= 100_000; scope += 1) memory.cleared(String(scope), scope);
    memory.cleared('5', 6);
    expect([memory.clearedSeq('1'), memory.clearedSeq('5')]).toEqual([1, 6]);
    memory.cleared('one more', 8);
    expect([memory.clearedSeq('1'), memory.clearedSeq('one more')]).toEqual([0, 8]);
  });
});
