import { restartDelay } from './restart-delay';

describe('restartDelay', () => {
  it('replaces a worker soon, and waits ever longer while they die young', () => {
    expect([0, 1, 2, 3, 50].map(restartDelay)).toEqual([250, 250, 500, 1000, 30_000]);
  });
});
