import type { Socket } from 'node:net';
import { OPEN, TEXT, type ServerSocket } from './server-socket';

/** What goes out on one socket: never more in its buffer than the bound and one message (invariant 9). */
export class Outbound {
  private readonly waiting = new Set<() => void>();
  private corked = false;

  /** @param tcp what `socket` writes to */
  constructor(
    private readonly socket: ServerSocket,
    private readonly tcp: Socket,
    private readonly maxBytes: number,
  ) {}

  /** Short messages of the protocol itself. */
  text(message: string): void {
    if (this.socket.readyState === OPEN) this.socket.send(message, TEXT);
  }

  /**
   * Sends one entry.
   *
   * @returns nothing while there is room for more, else a promise of when there will be (or the socket has closed)
   */
  frame(frame: Buffer): Promise<void> | undefined {
    const { socket } = this;
    if (socket.readyState !== OPEN) return undefined;
    this.gather();
    if (socket.bufferedAmount + frame.byteLength < this.maxBytes) {
      socket.send(frame, TEXT);
      return undefined;
    }
    // Messages leave in order: when this one has left, so have those before it.
    return new Promise((resolve) => {
      const done = (): void => {
        this.waiting.delete(done);
        resolve();
      };
      this.waiting.add(done);
      socket.send(frame, TEXT, done);
    });
  }

  /** What is sent in one go goes to the kernel in one go: the system calls are what a busy stream costs. */
  private gather(): void {
    if (this.corked) return;
    this.corked = true;
    this.tcp.cork();
    process.nextTick(() => {
      this.corked = false;
      this.tcp.uncork();
    });
  }

  /** The socket has closed: nobody waits any longer. */
  release(): void {
    for (const done of this.waiting) done();
  }
}
