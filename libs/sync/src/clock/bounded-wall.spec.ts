import * as fc from 'fast-check';
import '../../../../test/support/runs';
import {
  betterMeasure,
  boundedWall,
  databaseClock,
  MAX_OFFSET_MS,
  MAX_ROUND_TRIP_MS,
  measureClock,
  STALE_AFTER_MS,
  type ClockMeasure,
} from './bounded-wall';

const time = fc.integer({ min: 0, max: 4_000_000_000_000 });
const monotonic = fc.double({ min: 0, max: 1e9, noNaN: true });
const roundTrip = fc.double({ min: 0, max: 2_000, noNaN: true });

describe('boundedWall', () => {
  it('is a whole millisecond within five seconds of the database, whatever the machine says', () => {
    fc.assert(
      fc.property(time, time, monotonic, roundTrip, monotonic, (wall, local, sent, took, later) => {
        const measure = measureClock(local, sent, sent + took);
        const now = boundedWall(wall, measure, sent + took + later);
        expect(Number.isSafeInteger(now)).toBe(true);
        expect(Math.abs(now - databaseClock(measure, sent + took + later))).toBeLessThanOrEqual(
          MAX_OFFSET_MS + 1,
        );
      }),
    );
  });

  it('is the machine clock itself while that is close enough', () => {
    fc.assert(
      fc.property(time, fc.integer({ min: -4_990, max: 4_990 }), (database, offset) => {
        fc.pre(database + offset >= 0);
        expect(boundedWall(database + offset, measureClock(database, 0, 0), 0)).toBe(database + offset);
      }),
    );
  });

  it('goes on with the monotonic clock when the machine clock is set back for good', () => {
    const measure = measureClock(1_000_000, 0, 0);
    expect(boundedWall(0, measure, 0)).toBe(995_000);
    expect(boundedWall(0, measure, 2_000)).toBe(997_000);
    expect(boundedWall(9_000_000, measure, 2_000)).toBe(1_007_000);
  });

  it('counts from the moment of the measure, however long the process has run before', () => {
    const measure = measureClock(1_000_000, 7_000_000, 7_000_000);
    expect(databaseClock(measure, 7_002_000)).toBe(1_002_000);
    // A monotonic clock that was read before the measure came moves nothing back.
    expect(databaseClock(measure, 6_999_000)).toBe(1_000_000);
  });

  it('is the machine clock before the first measure', () => {
    expect(boundedWall(123, undefined, 5)).toBe(123);
  });
});

describe('measureClock', () => {
  it('is off by at most half the round trip, however the way there and back compare', () => {
    fc.assert(
      fc.property(
        time,
        monotonic,
        roundTrip,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (base, sent, took, share) => {
          // The database read its clock somewhere between question and answer.
          const readAt = sent + took * share;
          const measure = measureClock(base + readAt, sent, sent + took);
          const truth = base + sent + took;
          expect(Math.abs(measure.databaseMs - truth)).toBeLessThanOrEqual(took / 2 + 0.01);
        },
      ),
    );
  });
});

describe('betterMeasure', () => {
  const known = measureClock(1_000, 0, 10);

  it('takes a quick new one', () => {
    const next = measureClock(2_000, 1_000, 1_010);
    expect(betterMeasure(known, next)).toBe(next);
    expect(betterMeasure(undefined, next)).toBe(next);
  });

  it('keeps the old one while the new one was slow, but not for ever', () => {
    const slow = measureClock(2_000, 1_000, 1_001 + MAX_ROUND_TRIP_MS);
    expect(betterMeasure(known, slow)).toBe(known);
    expect(betterMeasure(undefined, slow)).toBe(slow);
    const late = measureClock(2_000, STALE_AFTER_MS, STALE_AFTER_MS + MAX_ROUND_TRIP_MS + 11);
    expect(betterMeasure(known, late)).toBe(late);
  });

  it('takes a slow one that was less slow than the old one', () => {
    const at = 10 * STALE_AFTER_MS;
    const measured = (sentAt: number, tookMs: number): ClockMeasure =>
      measureClock(1_000, sentAt, sentAt + tookMs);
    const worst = measured(at, 4 * MAX_ROUND_TRIP_MS);
    const bad = measured(at + 5_000, 2 * MAX_ROUND_TRIP_MS);
    expect(betterMeasure(worst, bad)).toBe(bad);
    expect(betterMeasure(bad, measured(at + 10_000, 4 * MAX_ROUND_TRIP_MS))).toBe(bad);
  });

  it.each([
    ['a round trip of the longest that counts as quick is quick', 2_000, MAX_ROUND_TRIP_MS, true],
    ['one longer is not', 2_000, MAX_ROUND_TRIP_MS + 1, false],
    ['a measure just as old as allowed is kept', STALE_AFTER_MS, MAX_ROUND_TRIP_MS + 1, false],
    ['one older is not', STALE_AFTER_MS + 1, MAX_ROUND_TRIP_MS + 1, true],
  ])('%s', (_name, age, tookMs, taken) => {
    const old = measureClock(1_000, 500, 510);
    const next = measureClock(2_000, old.at + age - tookMs, old.at + age);
    expect(betterMeasure(old, next)).toBe(taken ? next : old);
  });
});
