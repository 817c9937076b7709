import { once } from 'node:events';
import WebSocket from 'ws';
import type { LogChange } from 'nest-offline-sync-protocol';
import { TourError } from './check';
import type { Server } from './server';

const PATIENCE_MS = 5_000;

/** A subscription: entries in the order in which they arrive. */
export class LiveStream {
  private readonly entries: LogChange[] = [];
  private wake: () => void = () => undefined;

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (text: Buffer) => {
      const message = JSON.parse(text.toString()) as LogChange | { type: string };
      // Pings and the answer to subscribe have a type, entries have none.
      if ('type' in message) return;
      this.entries.push(message);
      this.wake();
    });
  }

  static async open(
    { url, streamPath }: Server,
    from: { since?: string; token: string },
  ): Promise<LiveStream> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${streamPath}`);
    const stream = new LiveStream(socket);
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'subscribe', ack: true, ...from }));
    // The first message is the acknowledgement.
    await once(socket, 'message');
    return stream;
  }

  /** @throws TourError when it does not come within 5 s */
  async next(): Promise<LogChange> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const entry = this.entries.shift();
      if (entry) return entry;
      const left = deadline - Date.now();
      if (left <= 0) throw new TourError('the live stream sends the change within 5 s');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async close(): Promise<void> {
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }
}
