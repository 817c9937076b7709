import type { WallClock } from '../clock/wall-clock';

/**
 * A wall clock that stands still until it is moved: for tests of an app that look at versions or times.
 * `Test.createTestingModule(...).overrideProvider(WallClock).useValue(new FixedWallClock(Date.UTC(2026, 0, 1)))`.
 */
export class FixedWallClock implements Pick<WallClock, 'now' | 'offsetMs' | 'measuredAgoMs'> {
  readonly offsetMs = 0;
  readonly measuredAgoMs = 0;

  /** @param ms milliseconds since 1970 */
  constructor(private ms: number) {}

  now(): number {
    return this.ms;
  }

  /** Forward, or back with a negative number of milliseconds. */
  advance(ms: number): void {
    this.ms += ms;
  }
}
