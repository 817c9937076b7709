import { assess, type Round } from './hour';

const MEGABYTE = 1 << 20;

function rounds(change: (index: number) => Partial<Omit<Round, 'rest'>> & { rest?: Partial<Round['rest']> }) {
  return Array.from({ length: 30 }, (_, index): Round => {
    const { rest, ...round } = change(index);
    return {
      at: (index + 1) * 120,
      changes: 1000,
      pushP50: 5,
      pushP99: 20,
      pullP99: 10,
      violated: [],
      ...round,
      rest: {
        rss: 150 * MEGABYTE,
        descriptors: 40,
        cursors: 1,
        pinnedCursors: 1,
        connections: 20,
        openTransactions: 0,
        logEntries: 5000,
        ...rest,
      },
    };
  });
}

describe('what a soak finds', () => {
  it('is nothing when all is steady, and the warm-up does not count', () => {
    const steady = rounds((index) => (index < 5 ? { rest: { rss: (100 + 10 * index) * MEGABYTE } } : {}));
    expect(assess(steady, 600)).toEqual({ rssSlope: 0, p99Drift: 1, problems: [] });
  });

  it('is memory that grows more than 1 MB in ten minutes', () => {
    const growing = (each: number) => rounds((index) => ({ rest: { rss: (150 + each * index) * MEGABYTE } }));
    expect(assess(growing(0.19), 600).problems).toEqual([]);
    expect(assess(growing(0.21), 600).problems).toEqual([expect.stringMatching(/1\.05 MB in ten minutes/)]);
  });

  it.each([
    ['a latency that drifts', { pushP99: 31 }, /p99 of a push drifted to 1\.55/],
    ['a violated invariant', { violated: [3] }, /violated invariants 3/],
  ])('is %s', (_, change, problem) => {
    expect(
      assess(
        rounds((index) => (index > 15 ? change : {})),
        600,
      ).problems[0],
    ).toMatch(problem);
  });

  it.each(['cursors', 'openTransactions', 'pinnedCursors'] as const)('is one of %s left open', (handle) => {
    const left = rounds((index) => (index === 29 ? { rest: { [handle]: 2 } } : {}));
    expect(assess(left, 600).problems).toEqual([expect.stringContaining(`${handle}: 2 at rest`)]);
  });

  it('is no trend when there are too few rounds', () => {
    expect(assess(rounds(() => ({})).slice(0, 8), 600).problems).toEqual([
      expect.stringMatching(/too few for a trend/),
    ]);
  });
});
