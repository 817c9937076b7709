import { WebSocket, type RawData } from 'ws';
import type { StreamEvent } from '../history';
import type { Device } from './device';
import { jsonOf } from './exchange';
import { fieldsOf } from './parse';
import { Silence } from './silence';

type StreamWhat = StreamEvent['what'];

export interface SubscriptionQuestion {
  readonly since: string | null;
  /** The same cursor as an integer, sent in its place. */
  readonly sinceSeq?: number;
  readonly collections: readonly string[] | null;
}

/**
 * One socket with one subscription after another. Everything that arrives is reported, in order; a subscription is reported
 * when the server has begun it, so that what still came of the one before is not taken for its own.
 */
export class Subscription {
  /** Settles when the socket is closed, by either side. */
  readonly closed: Promise<void>;
  private readonly socket: WebSocket;
  private readonly silence: Silence;
  private begun = false;
  /** Asked, and not begun by the server yet. */
  private readonly asked: SubscriptionQuestion[] = [];

  constructor(
    private readonly device: Device,
    streamPath: string,
    question: SubscriptionQuestion,
    private readonly tell: (what: StreamWhat) => void,
  ) {
    const { endpoints, timing } = device;
    this.silence = new Silence(timing.silenceLimitMs, () => {
      endpoints.moveOn();
      this.close();
    });
    this.socket = new WebSocket(`${endpoints.base.replace(/^http/, 'ws')}/${streamPath}`, {
      handshakeTimeout: timing.answerLimitMs,
      perMessageDeflate: false,
    });
    const { socket } = this;
    socket.on('open', () => this.subscribe(question));
    socket.on('message', (data: RawData) => this.take(data));
    socket.on('ping', () => this.silence.heard());
    // A close event follows.
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', (code) => {
        this.silence.end();
        if (this.begun) this.tell({ is: 'closed', code });
        else endpoints.moveOn();
        resolve();
      });
    });
  }

  /** Takes the place of the subscription before. Nothing happens on a socket that is closed. */
  subscribe(question: SubscriptionQuestion): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const { since, sinceSeq, collections } = question;
    const { scope, token } = this.device.credentials;
    this.asked.push(question);
    const message = JSON.stringify({
      type: 'subscribe',
      ack: true,
      token: token(),
      ...(scope === undefined ? {} : { scope }),
      ...(sinceSeq !== undefined ? { since_seq: sinceSeq } : since === null ? {} : { since }),
      ...(collections === null ? {} : { collections }),
    });
    this.socket.send(message, () => undefined);
    this.silence.heard();
  }

  /** Closes it now; only the end is reported after that. */
  close(): void {
    this.socket.terminate();
  }

  /** Stops reading from the socket: what the server sends piles up on its way. */
  stall(): void {
    this.silence.end();
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
    this.silence.heard();
  }

  private take(data: RawData): void {
    this.silence.heard();
    const { credentials } = this.device;
    // A text message comes as one Buffer.
    const text = (data as Buffer).toString();
    const known = credentials.pool.ofText(text);
    if (known) return this.tell({ is: 'entry', entry: known });
    credentials.received(text, 'stream');
    const message = fieldsOf(jsonOf(text));
    if (message['type'] !== undefined) return this.takeMessage(message);
    const entry = credentials.pool.of(message);
    credentials.pool.keepText(text, entry);
    this.tell({ is: 'entry', entry });
  }

  private takeMessage(message: Readonly<Record<string, unknown>>): void {
    switch (message['type']) {
      case 'subscribed':
        return this.begin(text(message['last_seq']), message['seq']);
      case 'ping':
        return this.tell({ is: 'ping', lastSeq: this.positionIn(message) });
      case 'full_resync_required':
        // In place of a beginning.
        if (!this.begun) this.begin(null);
        this.tell({ is: 'resync', reason: text(message['reason']) ?? '' });
        return this.endOf(message);
      case 'error':
        if (!this.begun) this.begin(null);
        this.tell({ is: 'error', code: text(message['code']) ?? '' });
        return this.endOf(message);
      case 'scope_lost':
        this.tell({ is: 'lost' });
        return this.endOf(message);
      default:
    }
  }

  /** Where a ping says that the subscription is. */
  private positionIn(message: Readonly<Record<string, unknown>>): string | null {
    const { scope } = this.device.credentials;
    const of = scope === undefined ? message : fieldsOf(fieldsOf(message['scopes'])[scope]);
    return text(of['last_seq']);
  }

  /** What ends a subscription of a scope that was named leaves the socket open. */
  private endOf({ scope }: Readonly<Record<string, unknown>>): void {
    if (scope !== undefined) this.socket.close();
  }

  /**
   * One that is requested before the previous one has begun silently replaces it: which one begins is reported
   * by its cursor.
   */
  private begin(since: string | null, seq?: unknown): void {
    const at = this.asked.findIndex((asked) =>
      typeof seq === 'number'
        ? asked.sinceSeq === seq
        : asked.sinceSeq === undefined && asked.since === since,
    );
    const question = this.asked.splice(0, (at < 0 ? this.asked.length : at) + 1).at(-1);
    if (!question) return;
    this.begun = true;
    this.tell({ is: 'subscribed', since: question.since, collections: question.collections });
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
