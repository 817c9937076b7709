import {
  errorText,
  fullResyncText,
  parseClientMessage,
  pingText,
  scopeLostText,
  scopeText,
  STREAM_CLOSE,
  subscribedText,
  SyncError,
  type ClientMessage,
  type Cursor,
} from 'nest-offline-sync-protocol';
import type { ClientSocket } from '../environment.ts';
import type { FakeAccess } from './fake-access.ts';
import type { FakeScope } from './fake-scope.ts';
import { FakeSocket, type FakeSession } from './fake-socket.ts';

type SubscribeMessage = Extract<ClientMessage, { type: 'subscribe' }>;

interface Subscription {
  readonly scope: string;
  readonly collections: readonly string[];
  since: Cursor | undefined;
}

/** What the server knows of a socket. */
interface Listener {
  readonly socket: FakeSocket;
  session: FakeSession | undefined;
  /** It has named a scope: it is told of which scope everything is. */
  namesScopes: boolean;
  saidScope: string | undefined;
  readonly subscriptions: Map<string, Subscription>;
}

export interface FakeStreamPorts {
  readonly access: FakeAccess;
  readonly sessionOf: (token: string | undefined) => FakeSession | undefined;
  readonly scope: (name: string) => FakeScope;
  readonly identity: (session: FakeSession) => string;
  /** Its answer, or why it is refused as a whole. */
  readonly push: (session: FakeSession, body: object) => object | SyncError;
  /** Why a version of the app is not served. */
  readonly expectServed: (clientSchema: string | undefined) => SyncError | undefined;
  readonly time: () => string;
}

/** The sockets of the fake server: a subscription a scope on each, and pushes. */
export class FakeStream {
  private readonly listeners = new Set<Listener>();

  constructor(private readonly ports: FakeStreamPorts) {}

  /** How many sockets stand. */
  get size(): number {
    return this.listeners.size;
  }

  open(url: string): ClientSocket {
    const token = /[?&]token=([^&]*)/.exec(url)?.[1];
    const socket = new FakeSocket(
      (text) => this.take(listener, parseClientMessage(text)),
      () => this.listeners.delete(listener),
    );
    const listener: Listener = {
      socket,
      session: this.ports.sessionOf(token === undefined ? undefined : decodeURIComponent(token)),
      namesScopes: false,
      saidScope: undefined,
      subscriptions: new Map(),
    };
    void Promise.resolve().then(() => {
      if (socket.isClosed) return;
      this.listeners.add(listener);
      socket.opened();
    });
    return socket;
  }

  close(code: number): void {
    for (const { socket } of this.listeners) socket.close(code);
  }

  /** Tells each socket where it stands, as the server does now and then. */
  ping(): void {
    for (const listener of this.listeners) {
      const { socket, session, namesScopes, subscriptions } = listener;
      for (const subscription of [...subscriptions.values()]) this.give(listener, subscription);
      const positions = [...subscriptions.keys()].map((scope) => [scope, this.positionOf(scope)] as const);
      const own = positions.find(([scope]) => scope === session?.scope)?.[1];
      socket.say(pingText(own, namesScopes ? positions : undefined, this.ports.time()));
    }
  }

  /** Gives what is new in a scope. */
  tell(scope: string): void {
    for (const listener of this.listeners) {
      const subscription = listener.subscriptions.get(scope);
      if (subscription) this.give(listener, subscription);
    }
  }

  /** Asks for each subscription again whether it may go on. */
  check(): void {
    const { access } = this.ports;
    for (const listener of this.listeners) {
      const { session, subscriptions } = listener;
      for (const { scope, collections } of session ? [...subscriptions.values()] : []) {
        const denied = access.denied(collections, session as FakeSession);
        if (access.to(scope, session as FakeSession) === 'none') {
          subscriptions.delete(scope);
          listener.socket.say(scopeLostText(scope));
        } else if (denied !== undefined) this.refuse(listener, scope, forbidden(denied));
      }
    }
  }

  private take(listener: Listener, message: ClientMessage): void {
    const { socket } = listener;
    const session =
      'token' in message && message.token !== undefined
        ? this.ports.sessionOf(message.token)
        : listener.session;
    listener.session = session;
    if (message.type === 'pong') return;
    if (!session) return socket.close(STREAM_CLOSE.unauthenticated);
    if (message.type === 'unsubscribe') listener.subscriptions.delete(message.scope ?? session.scope);
    if (message.type === 'push') {
      const answer = this.ports.push(session, message.body);
      if (answer instanceof SyncError)
        socket.give({ type: 'push_failed', id: message.id, code: answer.code, message: answer.message });
      else socket.give({ type: 'pushed', id: message.id, ...answer });
    }
    if (message.type === 'subscribe') this.subscribe(listener, session, message);
  }

  private subscribe(listener: Listener, session: FakeSession, message: SubscribeMessage): void {
    const { access, identity } = this.ports;
    const scope = message.scope ?? session.scope;
    if (message.scope !== undefined && !listener.namesScopes) {
      listener.namesScopes = true;
      listener.saidScope = undefined;
    }
    listener.subscriptions.delete(scope);
    const collections = message.collections ?? access.readable(session);
    const denied = access.denied(collections, session);
    const outdated = this.ports.expectServed(message.clientSchema);
    if (outdated) return this.refuse(listener, scope, outdated, STREAM_CLOSE.client_outdated);
    if (message.expectedIdentity !== undefined && message.expectedIdentity !== identity(session))
      return this.refuse(listener, scope, new SyncError('identity_changed', 'Of another identity.'));
    if (access.to(scope, session) === 'none')
      return this.refuse(listener, scope, new SyncError('scope_forbidden', 'There is no such scope.'));
    if (denied !== undefined) return this.refuse(listener, scope, forbidden(denied));
    if (message.ack)
      listener.socket.say(
        subscribedText(
          collections,
          message.since,
          listener.namesScopes ? scope : undefined,
          identity(session),
        ),
      );
    const subscription = { scope, collections, since: message.since };
    listener.subscriptions.set(scope, subscription);
    this.give(listener, subscription);
  }

  private give(listener: Listener, subscription: Subscription): void {
    const { socket, namesScopes } = listener;
    const { scope, collections, since } = subscription;
    const page = this.ports.scope(scope).pull(since, Infinity);
    if (page.full_resync_required === true) {
      listener.subscriptions.delete(scope);
      socket.say(fullResyncText(collections, page.reason, namesScopes ? scope : undefined));
      if (!namesScopes) socket.close(STREAM_CLOSE.done);
      return;
    }
    subscription.since = page.seq;
    for (const entry of page.changes) {
      if (!collections.includes(entry.collection)) continue;
      if (namesScopes && listener.saidScope !== scope) socket.say(scopeText(scope));
      listener.saidScope = namesScopes ? scope : undefined;
      socket.give(entry);
    }
  }

  /** Ends a subscription, and with it the socket of a client that names no scopes. */
  private refuse(
    listener: Listener,
    scope: string,
    error: SyncError,
    code: number = STREAM_CLOSE.forbidden,
  ): void {
    const { socket, namesScopes, subscriptions } = listener;
    subscriptions.delete(scope);
    socket.say(errorText(error, namesScopes ? scope : undefined));
    if (!namesScopes) socket.close(code);
  }

  private positionOf(name: string): { version: string; seq: number } {
    const scope = this.ports.scope(name);
    return { version: scope.lastSeq, seq: scope.position };
  }
}

export function forbidden(collection: string): SyncError {
  return new SyncError('forbidden', `Collection ${collection} may not be used with these credentials.`, {
    path: 'collections',
  });
}
