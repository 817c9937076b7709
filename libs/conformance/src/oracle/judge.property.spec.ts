import fc from 'fast-check';
import type { History } from '../history';
import { DEFECTS } from '../../../../test/support/history-defects';
import { longHistory } from '../../../../test/support/history-events';
import { simulate } from '../../../../test/support/simulated-history';
import { judge } from './judge';

// On a busy machine; alone it takes a tenth.
jest.setTimeout(120_000);

const simulations = fc.record({
  seed: fc.integer({ min: 0, max: 0xffffffff }),
  steps: fc.integer({ min: 0, max: 250 }),
  maxChanges: fc.integer({ min: 1, max: 6 }),
});

function messagesOf(history: History): string[] {
  return judge(history).findings.flatMap(({ invariant, violations }) =>
    violations.map(({ message }) => `${invariant}: ${message}`),
  );
}

describe('random histories', () => {
  it('of a correct deployment hold', () => {
    fc.assert(
      fc.property(simulations, (options) => {
        expect(messagesOf(simulate(options))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it.each(DEFECTS)('with $name never hold: $violates', ({ inject, violates }) => {
    let injected = 0;
    fc.assert(
      fc.property(simulations, fc.nat(), fc.nat(), (options, first, second) => {
        const draws = [first, second];
        const history = inject(simulate(options), (of) => of[(draws.shift() ?? 0) % of.length]);
        if (history === null) return;
        injected += 1;
        const violated = judge(history).findings.filter((finding) => finding.violated > 0);
        expect(violated.map(({ invariant }) => invariant)).toContain(violates);
      }),
      { numRuns: 100 },
    );
    expect(injected).toBeGreaterThan(10);
  });
});

describe('a long history', () => {
  it('is judged in time that grows with its length, not with its square', () => {
    const entries = 60_000;
    const seconds = (history: History): number => {
      const began = process.cpuUsage().user;
      expect(judge(history).held).toBe(true);
      return (process.cpuUsage().user - began) / 1e6;
    };
    seconds(longHistory(entries / 10));
    const short = seconds(longHistory(entries / 10));
    const long = seconds(longHistory(entries));
    expect(long / short).toBeLessThan(40);
    expect(long).toBeLessThan(10);
  });
});
