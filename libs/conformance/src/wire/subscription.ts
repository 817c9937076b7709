import { WebSocket, type RawData } from 'ws';
import type { StreamEvent } from '../history';
import type { Device } from './device';
import { fieldsOf } from './parse';
import { jsonOf } from './exchange';

type StreamWhat = StreamEvent['what'];

interface SubscriptionQuestion {
  readonly since: string | null;
  readonly collections: readonly string[] | null;
}

/** One socket with one subscription, from `since` until it closes. Everything that comes is told, in its order. */
export class Subscription {
  /** Settles when the socket is closed, whoever closed it. */
  readonly closed: Promise<void>;
  private readonly socket: WebSocket;
  private silence: NodeJS.Timeout | undefined;
  private subscribed = false;

  constructor(
    private readonly device: Device,
    streamPath: string,
    private readonly question: SubscriptionQuestion,
    private readonly tell: (what: StreamWhat) => void,
  ) {
    const { endpoints, timing } = device;
    this.socket = new WebSocket(`${endpoints.base.replace(/^http/, 'ws')}/${streamPath}`, {
      handshakeTimeout: timing.answerLimitMs,
      perMessageDeflate: false,
    });
    const { socket } = this;
    socket.on('open', () => this.subscribe());
    socket.on('message', (data: RawData) => this.take(data));
    socket.on('ping', () => this.heard());
    // A close event follows.
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', (code) => {
        clearTimeout(this.silence);
        if (this.subscribed) this.tell({ is: 'closed', code });
        else endpoints.moveOn();
        resolve();
      });
    });
  }

  /** Ends it now; nothing more is told but the end. */
  close(): void {
    this.socket.terminate();
  }

  /** Stops reading from the socket: what the server sends piles up on its way. */
  stall(): void {
    clearTimeout(this.silence);
    this.silence = undefined;
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
    this.heard();
  }

  private subscribe(): void {
    const { since, collections } = this.question;
    this.subscribed = true;
    this.tell({ is: 'subscribed', since, collections });
    this.socket.send(
      JSON.stringify({
        type: 'subscribe',
        token: this.device.credentials.token(),
        ...(since === null ? {} : { since }),
        ...(collections === null ? {} : { collections }),
      }),
    );
    this.heard();
  }

  private take(data: RawData): void {
    this.heard();
    const { credentials } = this.device;
    // A text message comes as one Buffer.
    const text = (data as Buffer).toString();
    const known = credentials.pool.ofText(text);
    if (known) return this.tell({ is: 'entry', entry: known });
    credentials.received(text, 'stream');
    const message = fieldsOf(jsonOf(text));
    if (message['type'] !== undefined) return this.tellMessage(message);
    const entry = credentials.pool.of(message);
    credentials.pool.keepText(text, entry);
    this.tell({ is: 'entry', entry });
  }

  private tellMessage(message: Readonly<Record<string, unknown>>): void {
    const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
    switch (message['type']) {
      case 'ping':
        return this.tell({ is: 'ping', lastSeq: text(message['last_seq']) });
      case 'full_resync_required':
        return this.tell({ is: 'resync', reason: text(message['reason']) ?? '' });
      case 'error':
        return this.tell({ is: 'error', code: text(message['code']) ?? '' });
      default:
    }
  }

  /** A server that was frozen or cut off says nothing and closes nothing. */
  private heard(): void {
    if (this.silence) {
      this.silence.refresh();
      return;
    }
    this.silence = setTimeout(() => {
      this.device.endpoints.moveOn();
      this.close();
    }, this.device.timing.silenceLimitMs);
    this.silence.unref();
  }
}
