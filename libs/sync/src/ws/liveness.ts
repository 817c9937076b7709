import type { Socket } from 'node:net';
import type { ServerSocket } from './server-socket';

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
