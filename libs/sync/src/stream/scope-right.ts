export interface RightRules {
  /** An answer holds for this long; then the app is asked again. Milliseconds. */
  readonly intervalMs: number;
  /** After a question that nobody could answer. Milliseconds. */
  readonly pauseMs: number;
  /** Questions in a row that nobody could answer, after which the subscription ends. */
  readonly tries: number;
}

/**
 * What one subscriber knows of its right to a scope that is not its own (invariant 5). Only decides; asking and waiting are
 * the shell's.
 *
 * ```
 *           the app says yes                      no
 *   held ────────────────────▶ open        held, open ──▶ lost
 *    ▲                          │
 *    └──────────────────────────┘           held ──▶ failed
 *      changed(); nobody could answer;        nobody could answer, several times in a row
 *      no answer for two intervals
 * ```
 * Nothing is delivered while it is held. A question that is asked because an interval is over lets the delivery go on:
 * the answer before still holds. An answer that was asked for before a change counts for nothing.
 */
export class ScopeRight {
  private now: 'held' | 'open' | 'lost' | 'failed' = 'held';
  private asking = false;
  private outdated = false;
  private failures = 0;
  private askedAt = 0;
  /** When the question was asked whose answer holds. */
  private confirmedAt = 0;
  private askAt: number;
  private reason: unknown;

  /** @param at the time now, in milliseconds of a clock that never goes back; as are all others here */
  constructor(
    private readonly rules: RightRules,
    at: number,
  ) {
    this.askAt = at;
  }

  get state(): 'held' | 'open' | 'lost' | 'failed' {
    return this.now;
  }

  /** Why it is `failed`. */
  get failure(): unknown {
    return this.reason;
  }

  private get ended(): boolean {
    return this.now === 'lost' || this.now === 'failed';
  }

  /** Time has passed. @returns whether to ask now: then {@link ask} */
  isDue(at: number): boolean {
    if (this.now === 'open' && at - this.confirmedAt >= 2 * this.rules.intervalMs) this.now = 'held';
    return !this.ended && !this.asking && at >= this.askAt;
  }

  /** The app is being asked. */
  ask(at: number): void {
    this.asking = true;
    this.outdated = false;
    this.askedAt = at;
  }

  /** The app says that something has changed: what it said before holds no more. */
  changed(at: number): void {
    if (this.ended) return;
    this.now = 'held';
    this.outdated ||= this.asking;
    this.askAt = at;
  }

  /** Something may have changed that nobody was told of: what the app said still holds, and it is asked again. */
  expire(at: number): void {
    this.outdated ||= this.asking;
    this.askAt = Math.min(this.askAt, at);
  }

  /** The app has answered. */
  answered(may: boolean, at: number): void {
    this.asking = false;
    this.askAt = at;
    // An answer of before the change: the question is asked again.
    if (this.ended || this.outdated) return;
    this.now = may ? 'open' : 'lost';
    this.failures = 0;
    this.confirmedAt = this.askedAt;
    this.askAt = this.askedAt + this.rules.intervalMs;
  }

  /** Nobody could answer. */
  failed(reason: unknown, at: number): void {
    this.asking = false;
    this.failures += 1;
    this.askAt = at + this.rules.pauseMs;
    if (this.ended) return;
    this.now = this.failures < this.rules.tries ? 'held' : 'failed';
    this.reason = reason;
  }
}
