import fc from 'fast-check';
import { CALM_MS, FAULT_KINDS, FAULTS, schedule, type Fault, type Lane } from './schedule';

const options = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
  lengthMs: fc.integer({ min: 0, max: 15 * 60_000 }),
  servers: fc.integer({ min: 1, max: 4 }),
  without: fc.subarray(FAULT_KINDS),
});

const laneOf = ({ kind }: Fault): Lane => FAULTS[kind].lane;

describe('a schedule of faults', () => {
  it('never has two faults of one lane at a time: of the members one is down, and of the servers', () => {
    fc.assert(
      fc.property(options, (given) => {
        const free = new Map<Lane, number>();
        const early = schedule(given).filter((fault) => {
          const before = free.get(laneOf(fault)) ?? 0;
          free.set(laneOf(fault), fault.at + fault.durationMs);
          return fault.at <= before;
        });
        expect(early).toEqual([]);
      }),
    );
  });

  it('is in the order of time, and everything is healed before the calm at its end', () => {
    fc.assert(
      fc.property(options, (given) => {
        const faults = schedule(given);
        expect(faults.map(({ at }) => at)).toEqual(faults.map(({ at }) => at).sort((a, b) => a - b));
        expect(faults.filter(({ at, durationMs }) => at + durationMs > given.lengthMs - CALM_MS)).toEqual([]);
      }),
    );
  });

  it('hits only servers that exist, for as long as their kind lasts, and leaves out what it should', () => {
    fc.assert(
      fc.property(options, (given) => {
        const wrong = schedule(given).filter(({ kind, target, durationMs }) => {
          const [shortest, longest] = FAULTS[kind].lasts;
          return (
            given.without.includes(kind) ||
            !(target >= 0 && target < given.servers) ||
            !(durationMs >= shortest && durationMs <= longest)
          );
        });
        expect(wrong).toEqual([]);
      }),
    );
  });

  it('is the same for the same seed, and another for another', () => {
    const given = { lengthMs: 300_000, servers: 3 };
    expect(schedule({ ...given, seed: 7 })).toEqual(schedule({ ...given, seed: 7 }));
    expect(schedule({ ...given, seed: 7 })).not.toEqual(schedule({ ...given, seed: 8 }));
  });

  it('tries every kind within five minutes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const kinds = new Set(schedule({ seed, lengthMs: 300_000, servers: 3 }).map(({ kind }) => kind));
        expect([...kinds].sort()).toEqual([...FAULT_KINDS].sort());
      }),
    );
  });
});
