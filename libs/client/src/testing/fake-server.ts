import {
  isObject,
  parseClientMessage,
  STREAM_CLOSE,
  type DocId,
  type JsonObject,
  type ServerDocument,
} from 'nest-offline-sync-protocol';
import type { ClientSocket, Fetch, FetchAnswer } from '../environment.ts';
import { answerOf, base64url, failure, json, parameters } from './fake-answer.ts';
import { FakeSocket, type FakeSession } from './fake-socket.ts';
import { infoOf, type FakeServerOptions } from './fake-info.ts';
import { FakeScope, type PushedChange, type Refusal } from './fake-scope.ts';

/** A request as it came. */
export interface ReceivedRequest {
  readonly method: string;
  /** Behind the prefix, with its query: `pull?since=…`. */
  readonly path: string;
  /** Parsed. */
  readonly body: unknown;
}

interface Listener {
  readonly socket: FakeSocket;
  readonly scope: string;
  sent: number;
}

/**
 * A server in memory that speaks the wire of docs/protocol.md, for tests of apps and of the client itself:
 * `environment: { fetch: server.fetch, socket: server.socket }`. One scope for each identity; tokens are those that `token`
 * gives. Network faults are {@link FaultyNetwork}'s.
 */
export class FakeServer {
  readonly requests: ReceivedRequest[] = [];
  /** Refuses what the test wants refused. */
  refuses: Refusal | undefined;
  private readonly scopes = new Map<string, FakeScope>();
  private readonly tokens = new Map<string, FakeSession>();
  private readonly listeners = new Set<Listener>();
  private count = 0;

  constructor(private readonly options: FakeServerOptions) {}

  readonly fetch: Fetch = async (url, { method, headers, body }) => {
    const path = url.replace(/^.*?\/sync\//, '');
    const given: unknown = body === undefined ? undefined : JSON.parse(body);
    this.requests.push({ method, path, body: given });
    const session = this.tokens.get((headers['authorization'] ?? '').replace(/^Bearer /, ''));
    await Promise.resolve();
    if (!session) return failure(401, 'unauthenticated', 'The token is not one of this server.');
    const [route = '', query = ''] = path.split('?');
    return this.answer(session, route, parameters(query), given);
  };

  readonly socket = (url: string): ClientSocket => {
    const token = /[?&]token=([^&]*)/.exec(url)?.[1];
    const socket = new FakeSocket((message) => {
      this.told(socket, message, token === undefined ? undefined : decodeURIComponent(token));
    });
    void Promise.resolve().then(() => {
      socket.opened();
    });
    return socket;
  };

  /** A token of an identity, as a JWT that nobody has signed. */
  token(actor: string, scope = actor): string {
    this.count += 1;
    const claims = { user_id: actor, business_id: scope, n: this.count };
    const token = `fake.${base64url(JSON.stringify(claims))}.${String(this.count)}`;
    this.tokens.set(token, { actor, scope });
    return token;
  }

  /** It is refused from now on. */
  revoke(token: string): void {
    this.tokens.delete(token);
  }

  /** What the server has. */
  document(scope: string, collection: string, id: DocId): ServerDocument | undefined {
    return this.scope(scope).document(collection, id);
  }

  /** Somebody else's edit; null deletes. Devices that listen are told. */
  edit(scope: string, collection: string, id: DocId, data: JsonObject | null): void {
    const operation = data === null ? 'delete' : 'upsert';
    const parent_version = this.document(scope, collection, id)?.version ?? null;
    this.scope(scope).push(
      'somebody-else',
      [{ collection, doc_id: id, operation, data, parent_version }],
      false,
      undefined,
    );
    this.tell(scope);
  }

  /** The log keeps nothing of what there is now. */
  trim(scope: string): void {
    this.scope(scope).trim();
  }

  /** Closes all sockets, as a restart does. */
  closeSockets(code: number = STREAM_CLOSE.restart): void {
    for (const { socket } of this.listeners) socket.close(code);
    this.listeners.clear();
  }

  private scope(name: string): FakeScope {
    let scope = this.scopes.get(name);
    if (!scope)
      this.scopes.set(
        name,
        (scope = new FakeScope(
          this.options.conflict ?? 'last-writer-wins',
          this.options.now ?? (() => Date.now()),
        )),
      );
    return scope;
  }

  private answer(
    { scope: name, actor }: FakeSession,
    route: string,
    query: Readonly<Record<string, string>>,
    body: unknown,
  ): FetchAnswer {
    const scope = this.scope(name);
    const headers = { 'x-sync-identity': `${name}|${actor}` };
    const expected = query['expected_identity'] ?? (isObject(body) ? body['expected_identity'] : undefined);
    if (typeof expected === 'string' && expected !== headers['x-sync-identity'])
      return failure(409, 'identity_changed', 'The credentials are of another identity than the data.');
    const { pageSize = 1000, maxChanges = 1000 } = this.options;
    switch (route) {
      case 'info':
        return json(infoOf(this.options, this.time()), headers);
      case 'scopes':
        return json({ scopes: [{ scope: name, access: 'write', own: true }] }, headers);
      case 'push': {
        const changes =
          isObject(body) && Array.isArray(body['changes']) ? (body['changes'] as unknown[]) : [];
        if (changes.length > maxChanges)
          return failure(413, 'too_many_changes', 'Fewer changes a push.', { limit: maxChanges });
        return json(this.push(name, body), headers);
      }
      case 'pull': {
        const since = query['since_seq'] === undefined ? query['since'] : Number(query['since_seq']);
        const page = scope.pull(since, Math.min(pageSize, Number(query['limit'] ?? pageSize)));
        return json(page, { ...headers, 'x-sync-lastseq': scope.lastSeq });
      }
      case 'full': {
        const rows = scope.rows(query['tombstones'] !== 'false');
        const from = Number(query['cursor'] ?? 0);
        const page = rows.slice(from, from + pageSize);
        const next = from + pageSize < rows.length ? String(from + pageSize) : null;
        const lines = [...page, { end: true, last_seq: scope.lastSeq, cursor: next }];
        return answerOf(200, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
          ...headers,
          'x-sync-lastseq': scope.lastSeq,
          'x-sync-seq': String(scope.position),
          ...(query['count'] === 'true' ? { 'x-sync-count': String(rows.length) } : {}),
          ...(next === null ? {} : { 'x-sync-cursor': next }),
        });
      }
      default:
        return failure(404, 'malformed_request', `The fake server has no ${route}.`);
    }
  }

  private push(scope: string, body: unknown): object {
    const given = isObject(body) ? body : {};
    const changes = (Array.isArray(given['changes']) ? given['changes'] : []) as PushedChange[];
    const results = this.scope(scope).push(
      String(given['client_id']),
      changes,
      given['atomic'] === 'batch',
      this.refuses,
    );
    // After the answer: an echo may come before it or after it.
    void Promise.resolve().then(() => {
      this.tell(scope);
    });
    return { results, server_time: this.time() };
  }

  private told(socket: FakeSocket, text: string, urlToken: string | undefined): void {
    const message = parseClientMessage(text);
    const token = ('token' in message ? message.token : undefined) ?? urlToken;
    const session = token === undefined ? undefined : this.tokens.get(token);
    switch (message.type) {
      case 'subscribe': {
        if (!session) {
          socket.close(STREAM_CLOSE.unauthenticated);
          return;
        }
        const page = this.scope(session.scope).pull(message.since, Infinity);
        if (page.full_resync_required === true) {
          socket.give({ type: 'full_resync_required', collections: [], reason: page.reason });
          socket.close(STREAM_CLOSE.done);
          return;
        }
        if (message.ack)
          socket.give({
            type: 'subscribed',
            collections: this.options.collections,
            identity: `${session.scope}|${session.actor}`,
          });
        for (const entry of page.changes) socket.give(entry);
        this.listeners.add({ socket, scope: session.scope, sent: this.scope(session.scope).position });
        socket.session = session;
        return;
      }
      case 'push':
        if (!socket.session) socket.close(STREAM_CLOSE.unauthenticated);
        else
          socket.give({ type: 'pushed', id: message.id, ...this.push(socket.session.scope, message.body) });
        return;
      case 'token':
        if (!session) socket.close(STREAM_CLOSE.unauthenticated);
        return;
      default:
    }
  }

  /** Gives listeners what is new. */
  private tell(name: string): void {
    for (const listener of this.listeners) {
      if (listener.scope !== name) continue;
      const page = this.scope(name).pull(listener.sent, Infinity);
      if (page.full_resync_required === true) continue;
      for (const entry of page.changes) listener.socket.give(entry);
      listener.sent = this.scope(name).position;
    }
  }

  private time(): string {
    return new Date((this.options.now ?? (() => Date.now()))()).toISOString();
  }
}
