import {
  isObject,
  STREAM_CLOSE,
  SyncError,
  type DocId,
  type FullLine,
  type JsonObject,
  type ServerDocument,
} from 'nest-offline-sync-protocol';
import type { ClientSocket, Fetch, FetchAnswer } from '../environment.ts';
import { answerOf, base64url, failure, json, parameters } from './fake-answer.ts';
import { FakeAccess, type FakeAccessLevel } from './fake-access.ts';
import type { FakeSession } from './fake-socket.ts';
import { FakeStream, forbidden } from './fake-stream.ts';
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

/**
 * A server in memory that speaks the wire of docs/protocol.md, for tests of apps and of the client itself:
 * `environment: { fetch: server.fetch, socket: server.socket }`. Each identity has a scope of its own, and others that `grant`
 * gives; tokens are those of `token`. Network faults are {@link FaultyNetwork}'s.
 */
export class FakeServer {
  readonly requests: ReceivedRequest[] = [];
  /** Refuses what the test wants refused. */
  refuses: Refusal | undefined;
  /** What every request is answered instead, by its path; undefined: as usual. */
  fails: ((path: string) => { readonly status: number; readonly code: string } | undefined) | undefined;
  /** Which versions of the app it does not serve any more, by the `clientSchema` of the client; undefined: one that sends none. */
  outdated: ((clientSchema: string | undefined) => boolean) | undefined;
  private readonly scopes = new Map<string, FakeScope>();
  private readonly tokens = new Map<string, FakeSession>();
  private readonly access: FakeAccess;
  private readonly stream: FakeStream;
  private count = 0;

  constructor(private readonly options: FakeServerOptions) {
    this.access = new FakeAccess(options.collections);
    this.stream = new FakeStream({
      access: this.access,
      sessionOf: (token) => (token === undefined ? undefined : this.tokens.get(token)),
      scope: (name) => this.scope(name),
      identity: identityOf,
      push: (session, body) => this.push(session, body),
      expectServed: (clientSchema) => this.expectServed(clientSchema),
      time: () => this.time(),
    });
  }

  readonly fetch: Fetch = async (url, { method, headers, body }) => {
    const path = url.replace(/^.*?\/sync\//, '');
    const given: unknown = body === undefined ? undefined : JSON.parse(body);
    this.requests.push({ method, path, body: given });
    const session = this.tokens.get((headers['authorization'] ?? '').replace(/^Bearer /, ''));
    await Promise.resolve();
    const fault = this.fails?.(path);
    if (fault) return failure(fault.status, fault.code, 'The fake server fails at this.');
    if (!session) return failure(401, 'unauthenticated', 'The token is not one of this server.');
    const [route = '', query = ''] = path.split('?');
    return this.answer(session, route, parameters(query), given);
  };

  readonly socket = (url: string): ClientSocket => this.stream.open(url);

  /** How many sockets stand. */
  get sockets(): number {
    return this.stream.size;
  }

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
    this.stream.tell(scope);
  }

  /** The log keeps nothing of what there is now. */
  trim(scope: string): void {
    this.scope(scope).trim();
  }

  /** What an actor may do in a scope that is not its own, from now on. Its sockets are told. */
  grant(actor: string, scope: string, level: FakeAccessLevel): void {
    this.access.grant(actor, scope, level);
    this.stream.check();
  }

  /** Whether an actor may use a collection, from now on. Its sockets are told. */
  open(actor: string, collection: string, isOpen: boolean): void {
    this.access.close(actor, collection, !isOpen);
    this.stream.check();
  }

  /** Tells all sockets where they stand, as a server does every half a minute. */
  ping(): void {
    this.stream.ping();
  }

  /** Closes all sockets, as a restart does. */
  closeSockets(code: number = STREAM_CLOSE.restart): void {
    this.stream.close(code);
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
    session: FakeSession,
    route: string,
    query: Readonly<Record<string, string>>,
    body: unknown,
  ): FetchAnswer {
    const headers = { 'x-sync-identity': identityOf(session) };
    const given = route === 'push' ? (isObject(body) ? body : {}) : query;
    const name = typeof given['scope'] === 'string' ? given['scope'] : session.scope;
    const names = query['collections']?.split(',').filter((each) => each !== '');
    const refusal = this.refusal(session, name, given, names);
    if (refusal) return failed(refusal, headers);
    const scope = this.scope(name);
    const { pageSize = 1000 } = this.options;
    const collections = names ?? this.access.readable(session);
    switch (route) {
      case 'info':
        return json(infoOf(this.options, collections, this.time()), headers);
      case 'scopes':
        return json({ scopes: this.access.scopes(session) }, headers);
      case 'push': {
        const answer = this.push(session, given);
        return answer instanceof SyncError ? failed(answer, headers) : json(answer, headers);
      }
      case 'pull': {
        const since = query['since_seq'] === undefined ? query['since'] : Number(query['since_seq']);
        const page = scope.pull(since, Math.min(pageSize, Number(query['limit'] ?? pageSize)));
        const own = page.full_resync_required
          ? page
          : { ...page, changes: page.changes.filter((each) => collections.includes(each.collection)) };
        return json(own, { ...headers, 'x-sync-lastseq': scope.lastSeq });
      }
      case 'full': {
        const { withoutFull = [] } = this.options;
        if (names?.some((each) => withoutFull.includes(each)))
          return failed(new SyncError('full_resync_disabled', 'Leave it out of collections.'), headers);
        const all = collections.filter((each) => !withoutFull.includes(each));
        return this.full(scope, all, query, headers);
      }
      case 'documents': {
        const asked = JSON.parse(query['ids'] ?? '[]') as DocId[];
        const found = asked.map((id) => [id, scope.document(query['collection'] ?? '', id)] as const);
        const documents = found.flatMap(([doc_id, row]) => (row ? [{ doc_id, ...row }] : []));
        const missing = found.flatMap(([id, row]) => (row ? [] : [id]));
        return json({ documents, missing, remaining: [] }, headers);
      }
      default:
        return failure(404, 'malformed_request', `The fake server has no ${route}.`);
    }
  }

  private refusal(
    session: FakeSession,
    scope: string,
    { expected_identity: expected, client_schema: schema }: Readonly<Record<string, unknown>>,
    collections: readonly string[] = [],
  ): SyncError | undefined {
    const outdated = this.expectServed(schema);
    if (outdated) return outdated;
    if (typeof expected === 'string' && expected !== identityOf(session))
      return new SyncError('identity_changed', 'The credentials are of another identity than the data.');
    if (this.access.to(scope, session) === 'none')
      return new SyncError('scope_forbidden', 'This identity may not use the scope, or there is none.');
    const denied = this.access.denied(collections, session);
    return denied === undefined ? undefined : forbidden(denied);
  }

  private expectServed(clientSchema: unknown): SyncError | undefined {
    const isGiven = typeof clientSchema === 'string' || typeof clientSchema === 'number';
    return this.outdated?.(isGiven ? String(clientSchema) : undefined)
      ? new SyncError('client_outdated', 'This version of the app is too old: update it.')
      : undefined;
  }

  private full(
    scope: FakeScope,
    collections: readonly string[],
    query: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>>,
  ): FetchAnswer {
    const { pageSize = 1000 } = this.options;
    const all = scope.rows(query['tombstones'] !== 'false');
    const rows = all.filter((row) => collections.includes(row.collection)).sort(inOrder);
    // A page is a range of ids: what comes or goes meanwhile moves no other row to another page.
    const [collection = '', doc_id = ''] = JSON.parse(query['cursor'] ?? '[]') as [string?, DocId?];
    const rest = rows.filter((row) => inOrder(row, { collection, doc_id }) > 0);
    const page = rest.slice(0, pageSize);
    const last = page.at(-1);
    const next = last && rest.length > page.length ? JSON.stringify([last.collection, last.doc_id]) : null;
    const lines = [...page, { end: true, last_seq: scope.lastSeq, cursor: next }];
    return answerOf(200, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
      ...headers,
      'x-sync-lastseq': scope.lastSeq,
      'x-sync-seq': String(scope.position),
      ...(query['count'] === 'true' ? { 'x-sync-count': String(rows.length) } : {}),
      ...(next === null ? {} : { 'x-sync-cursor': next }),
    });
  }

  private push(session: FakeSession, body: object): object | SyncError {
    const given: Readonly<Record<string, unknown>> = isObject(body) ? body : {};
    const name = typeof given['scope'] === 'string' ? given['scope'] : session.scope;
    const changes = (Array.isArray(given['changes']) ? given['changes'] : []) as PushedChange[];
    const { maxChanges = 1000 } = this.options;
    const refusal = this.refusal(session, name, given);
    if (refusal) return refusal;
    if (this.access.to(name, session) === 'read')
      return new SyncError('scope_forbidden', 'The scope may only be read.');
    if (changes.length > maxChanges)
      return new SyncError('too_many_changes', 'Fewer changes a push.', { limit: maxChanges });
    const results = this.scope(name).push(
      String(given['client_id']),
      changes,
      given['atomic'] === 'batch',
      (change) => (this.access.mayUse(change.collection, session) ? this.refuses?.(change) : 'forbidden'),
    );
    // After the answer: an echo may come before it or after it.
    void Promise.resolve().then(() => this.stream.tell(name));
    return { results, server_time: this.time() };
  }

  private time(): string {
    return new Date((this.options.now ?? (() => Date.now()))()).toISOString();
  }
}

type RowKey = Pick<FullLine, 'collection' | 'doc_id'>;

function inOrder(a: RowKey, b: RowKey): number {
  const [one, other] = [a, b].map(
    ({ collection, doc_id: id }) => `${collection}\n${typeof id} ${String(id)}`,
  );
  return (one as string) < (other as string) ? -1 : one === other ? 0 : 1;
}

function identityOf({ scope, actor }: FakeSession): string {
  return `${scope}|${actor}`;
}

function failed(
  { status, code, message, limit }: SyncError,
  headers: Readonly<Record<string, string>>,
): FetchAnswer {
  const body = { statusCode: status, code, message, ...(limit === undefined ? {} : { limit }) };
  return answerOf(status, JSON.stringify(body), headers);
}
