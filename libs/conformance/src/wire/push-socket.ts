import { WebSocket, type RawData } from 'ws';
import type { Answer, ChangeResult } from '../history';
import type { Endpoints } from './endpoints';
import { jsonOf } from './exchange';
import { fieldsOf, resultsOf } from './parse';

export interface Pushed {
  readonly answer: Answer;
  /** One a change when the status was 200, else null. */
  readonly results: ChangeResult[] | null;
}

/** Of docs/protocol.md, "Error codes"; what is not here is 400. */
const STATUS: Readonly<Record<string, number>> = {
  unauthenticated: 401,
  forbidden: 403,
  scope_missing: 403,
  scope_forbidden: 403,
  identity_changed: 409,
  client_outdated: 409,
  push_id_in_use: 409,
  too_many_changes: 413,
  payload_too_large: 413,
  preparation_timeout: 503,
  busy: 503,
  unavailable: 503,
  shutting_down: 503,
  internal: 500,
};

/** What it takes of the device: `Device` is one. */
interface Pushing {
  readonly credentials: {
    readonly token: () => string;
    readonly received: (bytes: string, where: string) => void;
    readonly stray?: (what: string) => void;
  };
  readonly endpoints: Endpoints;
  readonly timing: { readonly answerLimitMs: number };
}

interface Waiting {
  readonly settle: (pushed: Pushed) => void;
  readonly timer: NodeJS.Timeout;
}

const NOTHING: Pushed = { answer: null, results: null };

/** A socket for pushes only: it opens with the first one, and again after it was closed. */
export class PushSocket {
  private socket: WebSocket | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private id = 0;
  /** That the socket has. */
  private token: string | undefined;

  constructor(
    private readonly device: Pushing,
    private readonly streamPath: string,
  ) {}

  /** Never rejects: without an answer in time the socket is given up, so that none comes later. */
  push(body: object): Promise<Pushed> {
    const socket = (this.socket ??= this.open());
    const id = (this.id += 1);
    const { credentials, timing } = this.device;
    return new Promise((settle) => {
      const timer = setTimeout(() => socket.terminate(), timing.answerLimitMs);
      this.waiting.set(id, { settle, timer });
      const send = (): void => {
        this.authenticate(socket, credentials.token());
        socket.send(JSON.stringify({ ...body, type: 'push', id }), () => undefined);
      };
      if (socket.readyState === WebSocket.OPEN) send();
      else socket.once('open', send);
    });
  }

  /** What is in flight gets no answer. */
  close(): void {
    this.socket?.terminate();
  }

  private open(): WebSocket {
    const { endpoints, timing } = this.device;
    const socket = new WebSocket(`${endpoints.base.replace(/^http/, 'ws')}/${this.streamPath}`, {
      handshakeTimeout: timing.answerLimitMs,
      perMessageDeflate: false,
    });
    socket.on('message', (data: RawData) => this.take((data as Buffer).toString()));
    // A close event follows.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      this.token = undefined;
      if (this.waiting.size > 0) endpoints.moveOn();
      for (const id of [...this.waiting.keys()]) this.settle(id, NOTHING);
    });
    return socket;
  }

  /** At its beginning, and when the token was renewed. */
  private authenticate(socket: WebSocket, token: string): void {
    if (this.token === token) return;
    this.token = token;
    socket.send(JSON.stringify({ type: 'token', token }), () => undefined);
  }

  private take(text: string): void {
    const { credentials } = this.device;
    credentials.received(text, 'push over the socket');
    const message = fieldsOf(jsonOf(text));
    const { type, id, code } = message;
    if (type !== 'pushed' && type !== 'push_failed') {
      if (type !== 'ping') credentials.stray?.(`${String(type)} on a socket that only pushes`);
      return;
    }
    const known = typeof code === 'string' ? code : null;
    const pushed: Pushed =
      type === 'pushed'
        ? { answer: { status: 200, code: null }, results: resultsOf(message) }
        : { answer: { status: STATUS[known ?? ''] ?? 400, code: known }, results: null };
    if (typeof id !== 'number' || !this.settle(id, pushed))
      credentials.stray?.(`${type} with the id ${String(id)}, which no push was waiting for`);
    // As over HTTP: the next server may be well.
    if (pushed.answer?.status !== 503) return;
    this.device.endpoints.moveOn();
    this.close();
  }

  private settle(id: number, pushed: Pushed): boolean {
    const waiting = this.waiting.get(id);
    if (waiting === undefined) return false;
    clearTimeout(waiting.timer);
    this.waiting.delete(id);
    waiting.settle(pushed);
    return true;
  }
}
