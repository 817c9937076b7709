import type { Socket } from 'node:net';
import type { ServerSocket } from './socket-server';

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

/** One that is looked after by a {@link Pulse}. The calls must not throw. */
export interface Pulsing {
  readonly phase: Phase;
  /** When {@link ended} is to be called, in milliseconds since 1970; Infinity: never. */
  readonly endsAt: number;
  /** Once an interval. */
  beat(): void;
  ended(): void;
}

/** The end of credentials is noticed at most this late, unless the event loop is busy. */
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

/**
 * Finds out about a peer that is gone without a word. One that has taken everything must answer a WebSocket ping before
 * the next one is due; one that takes nothing at all of what waits for it is given two intervals.
 */
export class Liveness {
  private unanswered = false;
  /** While data waits: the listener of the TCP limit. */
  private cut: (() => void) | undefined;

  constructor(
    private readonly socket: ServerSocket,
    private readonly tcp: Socket,
    private readonly intervalMs: number,
  ) {}

  /** The peer said something. */
  seen(): void {
    this.unanswered = false;
  }

  /** An interval is over. @param ping sends one, unless the socket is closing */
  beat(ping: () => void): void {
    // With data still waiting the ping would not leave: the TCP limit judges that peer.
    if (this.socket.bufferedAmount > 0) return this.watch();
    if (this.cut) this.tcp.setTimeout(0, this.cut);
    this.cut = undefined;
    if (!this.unanswered) return this.ask(ping);
    // After a stall of this process the answer may lie in the kernel: it is read before the verdict.
    setImmediate(() => (this.unanswered ? this.socket.terminate() : this.ask(ping)));
  }

  /** Counts what the kernel takes, also in the middle of a large write. Writes that only queue up do not count. */
  private watch(): void {
    if (this.cut) return;
    this.cut = () => this.socket.terminate();
    this.tcp.setTimeout(2 * this.intervalMs, this.cut);
  }

  private ask(ping: () => void): void {
    this.unanswered = true;
    ping();
  }
}
