import { WebSocket, type RawData } from 'ws';
import type { StreamEvent } from '../history';
import type { Credentials, Device } from './device';
import { jsonOf } from './exchange';
import { fieldsOf } from './parse';
import { Silence } from './silence';

/** One socket with a subscription of each of several scopes. What arrives is reported with the scope that it is of. */
export class ScopesSocket {
  /** Settles when it is open, or closed before. */
  readonly opened: Promise<void>;
  readonly closed: Promise<void>;
  private readonly socket: WebSocket;
  /** Of which scope entries are, by the last message that said so. */
  private current = '';
  /** Asked for, and neither begun nor refused: its cursor. */
  private readonly asked = new Map<string, string | null>();
  private readonly scopes = new Set<string>();
  private readonly silence: Silence;

  constructor(
    private readonly device: Device,
    streamPath: string,
    /** What reads the entries of a scope. */
    private readonly readerOf: (scope: string) => Credentials | undefined,
    private readonly tell: (scope: string, what: StreamEvent['what']) => void,
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
    this.socket.on('message', (data: RawData) => this.take((data as Buffer).toString()));
    this.socket.on('ping', () => this.silence.heard());
    // A close event follows.
    this.socket.on('error', () => undefined);
    this.opened = new Promise((resolve) => {
      this.socket.once('open', () => resolve());
      this.socket.once('close', () => resolve());
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code) => {
        this.silence.end();
        if (this.scopes.size === 0) endpoints.moveOn();
        for (const scope of this.scopes) this.tell(scope, { is: 'closed', code });
        resolve();
      });
    });
  }

  subscribe(scope: string, since: string | null): void {
    if (this.socket.readyState !== WebSocket.OPEN || this.asked.has(scope)) return;
    this.asked.set(scope, since);
    this.scopes.add(scope);
    const token = this.device.credentials.token();
    const message = { type: 'subscribe', ack: true, token, scope, ...(since === null ? {} : { since }) };
    this.socket.send(JSON.stringify(message), () => undefined);
    this.silence.heard();
  }

  close(): void {
    this.socket.terminate();
  }

  private take(text: string): void {
    this.silence.heard();
    const message = fieldsOf(jsonOf(text));
    if (message['type'] === undefined) {
      const reader = this.readerOf(this.current);
      // The bytes are those of one scope: nothing of another one may be in them.
      (reader ?? this.device.credentials).received(text, 'stream of several scopes');
      if (reader !== undefined) this.tell(this.current, { is: 'entry', entry: reader.pool.of(message) });
      else this.device.credentials.stray?.('an entry before any message said of which scope it is');
      return;
    }
    const scope = textOf(message['scope']);
    switch (message['type']) {
      case 'scope':
        this.current = scope;
        return;
      case 'subscribed':
        return this.begin(scope);
      case 'ping':
        for (const [name, at] of Object.entries(fieldsOf(message['scopes'])))
          this.tell(name, { is: 'ping', lastSeq: textOf(fieldsOf(at)['last_seq']) || null });
        return;
      case 'full_resync_required':
        this.begin(scope);
        return this.tell(scope, { is: 'resync', reason: textOf(message['reason']) });
      case 'error':
        this.begin(scope);
        return this.tell(scope, { is: 'error', code: textOf(message['code']) });
      case 'scope_lost':
        return this.tell(scope, { is: 'lost' });
      default:
    }
  }

  /** Also in place of a beginning: what ends one that has not begun. */
  private begin(scope: string): void {
    const since = this.asked.get(scope);
    if (since === undefined) return;
    this.asked.delete(scope);
    this.tell(scope, { is: 'subscribed', since, collections: null });
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
