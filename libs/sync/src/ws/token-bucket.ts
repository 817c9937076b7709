/** Messages but pushes that the client of a socket may send at once, and each second after that. */
export const BURST = 40;
export const PER_SECOND = 10;

/**
 * Lets a client send a burst of messages at once, and a number of messages a second after that.
 */
export class TokenBucket {
  private tokens: number;
  private filledAt: number;

  /**
   * @param burst how many messages may come at once
   * @param perSecond how many a second follow
   * @param now milliseconds of any clock that does not go back
   */
  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    now: number,
  ) {
    this.tokens = burst;
    this.filledAt = now;
  }

  /** Whether one more message may pass: it counts then. */
  tryConsume(now: number): boolean {
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.filledAt) / 1000) * this.perSecond);
    this.filledAt = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
