import type { Socket } from 'node:net';
import { OPEN, takesReadyFrames, TEXT, type ServerSocket } from './server-socket';
import type { SharedFrames } from './shared-frames';
import type { TextMessage } from './text-frames';

/** Written at once at the most, so that sockets with much room and those with little get the same runs. */
const RUN_BYTES = 256 << 10;

/** What goes out on one socket: never more in its buffer than the bound and one message (invariant 9). */
export class Outbound {
  private readonly ready: boolean;
  private full = false;

  /**
   * @param tcp what `socket` writes to
   * @param drained called when there is room again
   */
  constructor(
    private readonly socket: ServerSocket,
    private readonly tcp: Socket,
    private readonly maxBytes: number,
    private readonly frames: SharedFrames,
    private readonly drained: () => void,
  ) {
    this.ready = takesReadyFrames(socket, tcp);
  }

  /** Bytes that may be sent now; 0: none before `drained` is called. */
  get room(): number {
    return this.full ? 0 : Math.max(1, Math.min(RUN_BYTES, this.maxBytes - this.socket.bufferedAmount));
  }

  /** Short messages of the protocol itself. */
  text(message: string): void {
    if (this.socket.readyState === OPEN) this.socket.send(message, TEXT);
  }

  /** A WebSocket ping, then the protocol's own. */
  ping(message: string): void {
    if (this.socket.readyState !== OPEN) return;
    this.socket.ping();
    this.text(message);
  }

  /** Sends entries, one message each. Only when there is {@link room}, and no more than that or a single one. */
  entries(run: readonly TextMessage[]): void {
    if (this.socket.readyState !== OPEN) return;
    let bytes = this.socket.bufferedAmount;
    for (const { wire } of run) bytes += wire.length;
    this.full = bytes >= this.maxBytes;
    // Messages leave in order: when the last one has left, so have those before it.
    const left = this.full ? (): void => this.resume() : undefined;
    if (this.ready) this.tcp.write(this.frames.of(run), left);
    else
      run.forEach(({ wire }, index) =>
        this.socket.send(wire, TEXT, index === run.length - 1 ? left : undefined),
      );
  }

  private resume(): void {
    this.full = false;
    this.drained();
  }
}
