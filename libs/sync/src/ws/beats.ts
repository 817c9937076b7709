/** A phase that is not due before it has been given. */
export type Phase = number;

/**
 * When each of many members is due, once an interval, by one clock for all of them. Those that join at the same moment
 * are spread: otherwise thousands that came back together would be pinged together for ever.
 */
export class Beats {
  private tick = 0;
  private joined = 0;

  /** @param ticks of the clock that an interval lasts; at least 2 */
  constructor(private readonly ticks: number) {}

  /** A phase for one that joins now: due for the first time after half an interval to a whole one. */
  join(): Phase {
    const half = Math.floor(this.ticks / 2);
    this.joined += 1;
    return (this.tick + this.ticks - (this.joined % half)) % this.ticks;
  }

  /**
   * The clock has come to `tick`.
   *
   * @returns whether a phase is due: each one that was passed since the last call, however late this one comes
   */
  advance(tick: number): (phase: Phase) => boolean {
    const passed = Math.min(this.ticks, tick - this.tick);
    this.tick = tick;
    const now = tick % this.ticks;
    return (phase) => (now - phase + this.ticks) % this.ticks < passed;
  }
}
