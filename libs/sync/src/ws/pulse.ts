import { Beats, type Phase } from './beats';

/** One that is looked after by a {@link Pulse}. The calls must not throw. */
export interface Pulsing {
  readonly phase: Phase;
  /** When {@link ended} is to be called, in milliseconds since 1970; Infinity: never. */
  readonly endsAt: number;
  /** Once an interval. */
  beat(): void;
  ended(): void;
}

/** How late the end of credentials is noticed at the most, beside a busy event loop. */
const LONGEST_TICK_MS = 250;
const TICKS_AT_LEAST = 8;

/** One timer for all sockets of the process, whatever they wait for: a timer each is memory that idle sockets hold. */
export class Pulse {
  private readonly tickMs: number;
  private readonly beats: Beats;
  private readonly started = performance.now();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly members: ReadonlySet<Pulsing>,
    intervalMs: number,
  ) {
    const ticks = Math.max(TICKS_AT_LEAST, Math.ceil(intervalMs / LONGEST_TICK_MS));
    this.tickMs = intervalMs / ticks;
    this.beats = new Beats(ticks);
    this.timer = setInterval(() => this.tick(), this.tickMs).unref();
  }

  /** The phase of one that joins the members now. */
  join(): Phase {
    return this.beats.join();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const due = this.beats.advance(Math.floor((performance.now() - this.started) / this.tickMs));
    const now = Date.now();
    for (const member of this.members) {
      if (due(member.phase)) member.beat();
      if (member.endsAt <= now) member.ended();
    }
  }
}
