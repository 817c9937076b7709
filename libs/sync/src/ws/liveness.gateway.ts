import type { Socket } from 'node:net';
import { OPEN, type ServerSocket } from './server-socket';

/**
 * Finds out about peers that are gone without a word. A peer that has taken everything must answer a WebSocket ping
 * before the next one is due; one that takes nothing at all of what waits for it is given two intervals.
 */
export class Liveness {
  private readonly timer: NodeJS.Timeout;
  private unanswered = false;

  /** @param ping called after each WebSocket ping, for the protocol's own */
  constructor(
    private readonly socket: ServerSocket,
    tcp: Socket,
    intervalMs: number,
    private readonly ping: () => void,
  ) {
    socket.on('pong', () => this.seen());
    // Counts what the kernel takes, also in the middle of a large write. Writes that only queue up do not count.
    tcp.setTimeout(2 * intervalMs, () => socket.terminate());
    this.timer = setInterval(() => this.tick(), intervalMs);
  }

  /** The peer said something. */
  seen(): void {
    this.unanswered = false;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    // With data still waiting the ping has not left: the TCP limit judges that peer.
    if (this.socket.bufferedAmount > 0) return;
    if (!this.unanswered) return this.ask();
    // After a stall of this process the answer may lie in the kernel: it is read before the verdict.
    setImmediate(() => (this.unanswered ? this.socket.terminate() : this.ask()));
  }

  private ask(): void {
    if (this.socket.readyState !== OPEN) return;
    this.unanswered = true;
    this.socket.ping();
    this.ping();
  }
}
