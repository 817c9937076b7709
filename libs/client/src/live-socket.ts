import { isObject, STREAM_CLOSE, type LogChange, type PushResponse } from 'nest-offline-sync-protocol';
import type { ClientSocket, Environment } from './environment.ts';
import { failureOf, NETWORK, type Failure } from './rules/failure.ts';
import type { Answer } from './transport.ts';

export interface Subscription {
  readonly token: string;
  /** Undefined: the identity's own. */
  readonly scope: string | undefined;
  readonly since: string;
  readonly collections: readonly string[];
  readonly identity: string | undefined;
  readonly clientSchema: string | undefined;
  readonly clientId: string;
}

/** What a subscription is told. `closed` comes last, and once: of the socket, or of this subscription alone. */
export type SocketEvent =
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'entry'; readonly entry: LogChange }
  /** Everything up to here was told. */
  | { readonly kind: 'position'; readonly cursor: string }
  | { readonly kind: 'time'; readonly serverTime: string }
  | { readonly kind: 'resync'; readonly isRestored: boolean }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'closed'; readonly code: number };

/** A subscription's end of the socket. */
export interface Channel {
  /** A push, if the socket stands; undefined: send it another way. */
  push(body: object): Promise<Answer> | undefined;
  close(): void;
}

interface Listening {
  readonly subscription: Subscription;
  readonly tell: (event: SocketEvent) => void;
  isSubscribed: boolean;
  /** Pings in a row that did not tell of it. */
  missed: number;
  endWait: () => void;
}

interface Sent {
  readonly of: Listening;
  readonly sentAt: number;
  readonly resolve: (answer: Answer) => void;
}

/**
 * One connection: a subscription for each scope, and pushes. It never connects again by itself, and ends with its last
 * subscription.
 */
export class LiveSocket {
  isOver = false;
  private readonly socket: ClientSocket;
  private readonly listening = new Map<string | undefined, Listening>();
  /** Every scope that was ever named here: entries of any other one are of the identity's own. */
  private readonly named = new Set<string>();
  private readonly pushes = new Map<number, Sent>();
  /** Of the entries that come now, as the server calls it. */
  private scope: string | undefined;
  private lastPush = 0;
  private isOpen = false;
  private endSilence: (() => void) | undefined;

  /**
   * @param silenceMs without a word of the server for so long it counts as gone
   * @param over called once, when it has ended and every subscription was told
   * @throws what the platform throws for an address that it does not like
   */
  constructor(
    socket: ClientSocket,
    private readonly silenceMs: number,
    private readonly environment: Environment,
    private readonly over: () => void,
  ) {
    this.socket = socket;
    this.listen();
    socket.onopen = () => {
      this.isOpen = true;
      this.listen();
      for (const each of this.listening.values()) this.say(each);
    };
    socket.onmessage = ({ data }) => {
      this.listen();
      if (typeof data === 'string') this.receive(data);
    };
    socket.onclose = ({ code }) => this.end(code);
    socket.onerror = () => undefined;
  }

  /** Also on a socket that stands. An earlier subscription of the scope ends. */
  subscribe(subscription: Subscription, tell: (event: SocketEvent) => void): Channel {
    const { scope } = subscription;
    this.endOne(this.listening.get(scope), STREAM_CLOSE.done);
    // The socket tells of others all the time: that is no sign of life of this one.
    const endWait = this.environment.timer(this.silenceMs, () => this.leave(of, SILENT));
    const of: Listening = { subscription, tell, isSubscribed: false, missed: 0, endWait };
    this.listening.set(scope, of);
    if (scope !== undefined) this.named.add(scope);
    if (this.isOpen) this.say(of);
    return { push: (body) => this.push(of, body), close: () => this.leave(of, STREAM_CLOSE.done) };
  }

  token(token: string): void {
    if (this.isOpen && !this.isOver) this.send({ type: 'token', token });
  }

  private push(of: Listening, body: object): Promise<Answer> | undefined {
    if (!this.isOpen || !of.isSubscribed || !this.isCurrent(of)) return undefined;
    const id = ++this.lastPush;
    return new Promise((resolve) => {
      this.pushes.set(id, { of, sentAt: this.environment.now(), resolve });
      this.send({ type: 'push', id, ...body });
    });
  }

  private say({ subscription }: Listening): void {
    const { token, scope, since, collections, identity, clientSchema, clientId } = subscription;
    // JSON leaves out what is undefined.
    this.send({
      type: 'subscribe',
      token,
      scope,
      since,
      collections,
      expected_identity: identity,
      client_schema: clientSchema,
      client_id: clientId,
      ack: true,
    });
  }

  private send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Ends one subscription here and on the server; the last one takes the socket along. */
  private leave(of: Listening, code: number): void {
    if (!this.isCurrent(of)) return;
    if (this.listening.size === 1) return this.end(code);
    if (this.isOpen) this.send({ type: 'unsubscribe', scope: of.subscription.scope });
    this.endOne(of, code);
  }

  private isCurrent(of: Listening): boolean {
    return this.listening.get(of.subscription.scope) === of;
  }

  private endOne(of: Listening | undefined, code: number): void {
    if (!of) return;
    this.listening.delete(of.subscription.scope);
    of.endWait();
    for (const [id, push] of this.pushes)
      if (push.of === of) {
        this.pushes.delete(id);
        push.resolve({ ok: false, failure: NETWORK });
      }
    of.tell({ kind: 'closed', code });
  }

  /** A half-open connection never closes: silence ends it. */
  private listen(): void {
    this.endSilence?.();
    this.endSilence = this.environment.timer(this.silenceMs, () => this.end(SILENT));
  }

  private end(code: number): void {
    if (this.isOver) return;
    this.isOver = true;
    this.endSilence?.();
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    try {
      this.socket.close();
    } catch {
      // It was never open: some platforms throw then.
    }
    this.over();
    for (const each of [...this.listening.values()]) this.endOne(each, code);
  }

  private receive(text: string): void {
    if (this.isOver) return;
    const message = read(text);
    if (!message) return;
    const { type, server_time: serverTime } = message;
    if (typeof serverTime === 'string' && type !== 'pushed') this.all({ kind: 'time', serverTime });
    switch (type) {
      case undefined:
        return this.to(this.scope, { kind: 'entry', entry: message as unknown as LogChange });
      case 'scope':
        this.scope = scopeOf(message);
        return;
      case 'subscribed':
        return this.subscribed(message);
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
        return this.stopped(message, STREAM_CLOSE.done, {
          kind: 'resync',
          isRestored: message['reason'] === 'unknown_cursor',
        });
      case 'scope_lost':
        return this.stopped(message, STREAM_CLOSE.forbidden, {
          kind: 'refused',
          failure: failureOf(0, { code: 'scope_forbidden', ...message }, NaN),
        });
      case 'error':
        return this.stopped(message, STREAM_CLOSE.try_later, {
          kind: 'refused',
          failure: failureOf(0, message, NaN),
        });
      default:
        return;
    }
  }

  /** The position tells which subscription it is: of the one before it on the same scope entries may still be on their way. */
  private subscribed(message: Record<string, unknown>): void {
    const of = this.of(scopeOf(message));
    if (!of || (message['last_seq'] ?? of.subscription.since) !== of.subscription.since) return;
    of.isSubscribed = true;
    of.endWait();
    of.tell({ kind: 'subscribed' });
  }

  /** What ends one subscription, or, where it names none, the socket: that is closed by the server. */
  private stopped(message: Record<string, unknown>, code: number, event: SocketEvent): void {
    const scope = scopeOf(message);
    if (scope === undefined) return this.all(event);
    const of = this.of(scope);
    of?.tell(event);
    if (of && this.isCurrent(of)) this.leave(of, code);
  }

  private pinged(message: Record<string, unknown>): void {
    const { scopes } = message;
    if (!isObject(scopes)) return this.at(undefined, message);
    // Of the own scope too by its name: should that be named here as well, its entries went there.
    const told = new Set(Object.keys(scopes).map((scope) => this.of(scope)));
    for (const [scope, position] of Object.entries(scopes)) this.at(scope, position);
    for (const each of [...this.listening.values()]) {
      each.missed = told.has(each) || !each.isSubscribed ? 0 : each.missed + 1;
      if (each.missed === MAX_MISSED) this.leave(each, SILENT);
    }
  }

  private at(scope: string | undefined, position: unknown): void {
    const cursor = isObject(position) ? position['last_seq'] : undefined;
    if (typeof cursor === 'string') this.to(scope, { kind: 'position', cursor });
  }

  /** The subscription of a scope as the server calls it. */
  private of(scope: string | undefined): Listening | undefined {
    return this.listening.get(scope !== undefined && this.named.has(scope) ? scope : undefined);
  }

  private to(scope: string | undefined, event: SocketEvent): void {
    const of = this.of(scope);
    if (of?.isSubscribed) of.tell(event);
  }

  private all(event: SocketEvent): void {
    for (const each of [...this.listening.values()]) each.tell(event);
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
/** The server has just begun to read for a subscription that a ping does not tell of, or knows of none. */
const MAX_MISSED = 3;

function scopeOf({ scope }: Record<string, unknown>): string | undefined {
  return typeof scope === 'string' ? scope : undefined;
}

function read(text: string): Record<string, unknown> | undefined {
  try {
    const message: unknown = JSON.parse(text);
    return isObject(message) ? message : undefined;
  } catch {
    return undefined;
  }
}
