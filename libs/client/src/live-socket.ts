import { isObject, type LogChange, type PushResponse } from 'nest-offline-sync-protocol';
import type { ClientSocket, Environment } from './environment.ts';
import { failureOf, NETWORK, type Failure } from './rules/failure.ts';
import type { Answer } from './transport.ts';

export interface Subscription {
  readonly url: string;
  readonly token: string;
  readonly scope: string | undefined;
  readonly since: string;
  readonly collections: readonly string[];
  readonly identity: string | undefined;
  /** Without a word of the server for so long it counts as gone. Milliseconds. */
  readonly silenceMs: number;
}

/** What a socket tells. `closed` comes last, and once. */
export type SocketEvent =
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'entry'; readonly entry: LogChange }
  /** Everything up to here was told. */
  | { readonly kind: 'position'; readonly cursor: string }
  | { readonly kind: 'time'; readonly serverTime: string }
  | { readonly kind: 'resync'; readonly isRestored: boolean }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'closed'; readonly code: number };

/** One connection: a subscription of a scope, and pushes. It never connects again by itself. */
export class LiveSocket {
  private readonly socket: ClientSocket;
  private readonly pushes = new Map<
    number,
    { readonly sentAt: number; readonly resolve: (answer: Answer) => void }
  >();
  private lastPush = 0;
  private isOpen = false;
  private isOver = false;
  private endSilence: (() => void) | undefined;

  /** @throws what the platform throws for an address that it does not like */
  constructor(
    connect: (url: string) => ClientSocket,
    private readonly subscription: Subscription,
    private readonly environment: Environment,
    private readonly tell: (event: SocketEvent) => void,
  ) {
    this.socket = connect(subscription.url);
    this.listen();
    this.socket.onopen = () => {
      this.isOpen = true;
      this.subscribe();
      this.listen();
    };
    this.socket.onmessage = ({ data }) => {
      this.listen();
      if (typeof data === 'string') this.receive(data);
    };
    this.socket.onclose = ({ code }) => this.end(code);
    this.socket.onerror = () => undefined;
  }

  /** A push, if the socket stands; undefined: send it another way. */
  push(body: object): Promise<Answer> | undefined {
    if (!this.isOpen || this.isOver) return undefined;
    const id = ++this.lastPush;
    return new Promise((resolve) => {
      this.pushes.set(id, { sentAt: this.environment.now(), resolve });
      this.socket.send(JSON.stringify({ type: 'push', id, ...body }));
    });
  }

  token(token: string): void {
    if (this.isOpen && !this.isOver) this.socket.send(JSON.stringify({ type: 'token', token }));
  }

  close(): void {
    this.end(1000);
  }

  private subscribe(): void {
    const { token, scope, since, collections, identity } = this.subscription;
    this.socket.send(
      JSON.stringify({
        type: 'subscribe',
        token,
        since,
        collections,
        ack: true,
        ...(scope === undefined ? {} : { scope }),
        ...(identity === undefined ? {} : { expected_identity: identity }),
      }),
    );
  }

  /** A half-open connection never closes: silence ends it. */
  private listen(): void {
    this.endSilence?.();
    this.endSilence = this.environment.timer(this.subscription.silenceMs, () => this.end(SILENT));
  }

  private end(code: number): void {
    if (this.isOver) return;
    this.isOver = true;
    this.endSilence?.();
    for (const { resolve } of this.pushes.values()) resolve({ ok: false, failure: NETWORK });
    this.pushes.clear();
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    try {
      this.socket.close();
    } catch {
      // It was never open: some platforms throw then.
    }
    this.tell({ kind: 'closed', code });
  }

  private receive(text: string): void {
    if (this.isOver) return;
    const message = read(text);
    if (!message) return;
    const { type, server_time: serverTime } = message;
    if (typeof serverTime === 'string' && type !== 'pushed') this.tell({ kind: 'time', serverTime });
    switch (type) {
      case undefined:
        return this.tell({ kind: 'entry', entry: message as unknown as LogChange });
      case 'subscribed':
        return this.tell({ kind: 'subscribed' });
      case 'ping':
        return this.pinged(message);
      case 'pushed':
        return this.answered(message['id'], {
          ok: true,
          body: message as unknown as PushResponse,
          header: () => null,
          receivedAt: this.environment.now(),
        });
      case 'push_failed':
        return this.answered(message['id'], {
          ok: false,
          failure: failureOf(0, message, Number(message['retry_after'] ?? NaN)),
        });
      case 'full_resync_required':
        return this.tell({ kind: 'resync', isRestored: message['reason'] === 'unknown_cursor' });
      case 'scope_lost':
        return this.tell({
          kind: 'refused',
          failure: failureOf(0, { code: 'scope_forbidden', ...message }, NaN),
        });
      case 'error':
        return this.tell({ kind: 'refused', failure: failureOf(0, message, NaN) });
      default:
        return;
    }
  }

  private pinged(message: Record<string, unknown>): void {
    const { scope } = this.subscription;
    const scopes = message['scopes'];
    const at = scope === undefined ? message : isObject(scopes) ? scopes[scope] : undefined;
    const cursor = isObject(at) ? at['last_seq'] : undefined;
    if (typeof cursor === 'string') this.tell({ kind: 'position', cursor });
  }

  private answered(
    id: unknown,
    answer: Omit<Answer & { ok: true }, 'sentAt'> | (Answer & { ok: false }),
  ): void {
    const push = this.pushes.get(id as number);
    if (!push) return;
    this.pushes.delete(id as number);
    push.resolve(answer.ok ? { ...answer, sentAt: push.sentAt } : answer);
  }
}

const SILENT = 4000;

function read(text: string): Record<string, unknown> | undefined {
  try {
    const message: unknown = JSON.parse(text);
    return isObject(message) ? message : undefined;
  } catch {
    return undefined;
  }
}
