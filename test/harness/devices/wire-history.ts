import { ERROR_CODES } from 'nest-offline-sync-protocol';
import type {
  Answer,
  FullRow,
  HistoryEvent,
  PushEvent,
  Seen,
  SentChange,
  SentPatch,
  StreamEvent,
  Tenant,
} from '../../../libs/conformance/src/history';
import { secretsOf } from '../../../libs/conformance/src/wire/marker';
import {
  answerOf,
  fieldsOf,
  parseEntry,
  parsePage,
  parseRows,
  resultsOf,
} from '../../../libs/conformance/src/wire/parse';
import { wireTime, type WireEvent } from './tap';

type Fields = Readonly<Record<string, unknown>>;

interface Log {
  readonly tenant: Tenant;
  readonly scope?: string;
}

interface Asked {
  readonly own: string;
  readonly sentAt: number;
  readonly path: string;
  readonly body: Fields;
}

interface Subscription {
  readonly since: string;
  readonly collections: readonly string[];
  isOn: boolean;
}

interface Socket {
  readonly device: string;
  readonly own: string;
  readonly connection: number;
  /** By the name that the device gave the scope. */
  readonly subscriptions: Map<string | undefined, Subscription>;
  readonly named: Set<string>;
  readonly pushes: Map<unknown, Asked>;
  /** Of the entries that come now. */
  current: string | undefined;
}

interface Loading {
  readonly sentAt: number;
  readonly lastSeq: string;
  readonly rows: FullRow[];
}

/** The history of a run as the conformance kit's oracles judge it, from what went over the wires of all devices. */
export class WireHistory {
  private readonly known: HistoryEvent[] = [];
  /** Of each process the one that lives. */
  private readonly pages = new Map<string, string>();
  private readonly asked = new Map<string, Asked>();
  private readonly sockets = new Map<string, Socket>();
  private readonly loading = new Map<string, Loading>();
  private readonly startedAt = wireTime();
  private pushes = 0;
  private connections = 0;

  /** @param main the own scope of the tenant under test; every other identity is of the other one */
  constructor(private readonly main: string) {}

  /**
   * @param device its readers are named after it
   * @param process that it runs in: ids are of it
   */
  hear(device: string, process: string, event: WireEvent): void {
    const { own, page, id } = event;
    if (this.pages.get(process) !== page) this.died(process);
    this.pages.set(process, page);
    const key = `${process} ${id}`;
    const at = event.at - this.startedAt;
    switch (event.of) {
      case 'request': {
        const body = event.body === undefined ? {} : fieldsOf(JSON.parse(event.body));
        this.asked.set(key, { own, sentAt: at, path: event.path, body });
        return;
      }
      case 'lost':
        return this.lost(key, at);
      case 'answer': {
        const asked = this.asked.get(key);
        this.asked.delete(key);
        if (asked) this.answered(device, asked, at, event);
        return;
      }
      case 'sent':
        return this.sent(this.socket(key, device, own), at, fieldsOf(JSON.parse(event.text)));
      case 'received':
        return this.received(this.socket(key, device, own), at, fieldsOf(JSON.parse(event.text)));
      case 'closed':
        return this.closed(key, at, event.code);
    }
  }

  /** Also with the pushes that nobody has been answered yet: they may have taken effect. */
  get events(): readonly HistoryEvent[] {
    const waiting = [...this.asked.values()].filter(isPush);
    for (const { pushes } of this.sockets.values()) waiting.push(...pushes.values());
    return [...this.known, ...waiting.map((asked) => this.pushOf(asked, Infinity, null, undefined))];
  }

  /** What a process was still waiting for never came, and it hears nothing any more. */
  died(process: string): void {
    const at = wireTime() - this.startedAt;
    for (const key of [...this.asked.keys()]) if (key.startsWith(`${process} `)) this.lost(key, at);
    for (const key of [...this.sockets.keys()]) if (key.startsWith(`${process} `)) this.closed(key, at, 1006);
  }

  private lost(key: string, at: number): void {
    const asked = this.asked.get(key);
    this.asked.delete(key);
    if (asked && isPush(asked)) this.push(asked, at, null, undefined);
  }

  private answered(
    device: string,
    asked: Asked,
    answeredAt: number,
    event: WireEvent & { readonly of: 'answer' },
  ): void {
    const reply = { status: event.status, text: event.text, headers: new Headers() };
    const answer = answerOf(reply);
    if (isPush(asked)) {
      const body = parsed(event.text);
      // Browsers give the text of an answer that was cut off as if that were all.
      // A browser sends a request again by itself when a connection that it had used before breaks.
      if (resultsOf(body)?.some(({ replayed }) => replayed)) this.push(asked, answeredAt, null, undefined);
      return this.push(asked, answeredAt, event.status === 200 && body === undefined ? null : answer, body);
    }
    const { pathname, searchParams: query } = new URL(asked.path, 'http://device');
    const log = this.logOf(asked.own, query.get('scope') ?? undefined);
    const reader = nameOf(device, log);
    const [kind] = pathname.split('/').slice(-1);
    const { sentAt } = asked;
    if (kind === 'pull')
      this.known.push({
        kind,
        ...log,
        ...{ reader, sentAt, answeredAt, answer, since: query.get('since') },
        collections: query.get('collections')?.split(',') ?? null,
        page: parsePage(reply, entryOf),
      });
    else if (kind === 'full' && event.status === 200)
      this.loaded(reader, log, query, asked, answeredAt, event);
  }

  /** A page of a full resync; told when the last one has come. */
  private loaded(
    reader: string,
    log: Log,
    query: URLSearchParams,
    { sentAt }: Asked,
    answeredAt: number,
    { text }: { readonly text: string },
  ): void {
    const rows = parseRows(text, READING);
    const end = fieldsOf(parsed(text.trimEnd().split('\n').at(-1) ?? ''));
    const lastSeq = end['last_seq'];
    const before = query.has('cursor') ? this.loading.get(reader) : undefined;
    this.loading.delete(reader);
    if (!rows || end['end'] !== true || typeof lastSeq !== 'string') return;
    if (query.has('cursor') && !before) return;
    const load = before ?? { sentAt, lastSeq, rows: [] };
    for (const row of rows) load.rows.push({ ...row, marker: null });
    if (typeof end['cursor'] === 'string') this.loading.set(reader, load);
    else
      this.known.push({
        kind: 'full',
        ...log,
        ...{ reader, sentAt: load.sentAt, answeredAt, rows: load.rows, lastSeq: load.lastSeq },
        answer: { status: 200, code: null },
      });
  }

  private push(asked: Asked, answeredAt: number, answer: Answer, body: unknown, via?: 'socket'): void {
    this.known.push(this.pushOf(asked, answeredAt, answer, body, via));
  }

  private pushOf(
    { own, sentAt, body: sent }: Asked,
    answeredAt: number,
    answer: Answer,
    body: unknown,
    via?: 'socket',
  ): PushEvent {
    const changes = Array.isArray(sent['changes']) ? sent['changes'].map(changeOf) : [];
    return {
      kind: 'push',
      ...this.logOf(own, sent['scope']),
      ...{ id: ++this.pushes, client: String(sent['client_id']), sentAt, answeredAt, answer, changes },
      atomic: sent['atomic'] === 'mutation' ? 'mutation' : 'batch',
      ...(via ? { via } : {}),
      results: answer?.status === 200 ? resultsOf(body) : null,
    };
  }

  private socket(key: string, device: string, own: string): Socket {
    let socket = this.sockets.get(key);
    if (!socket) {
      const connection = ++this.connections;
      socket = {
        ...{ device, own, connection, current: undefined },
        ...{ subscriptions: new Map(), named: new Set(), pushes: new Map() },
      };
      this.sockets.set(key, socket);
    }
    return socket;
  }

  private sent(socket: Socket, at: number, message: Fields): void {
    const scope = textOf(message['scope']);
    if (message['type'] === 'subscribe') {
      this.ended(socket, scope, at, { is: 'closed', code: 1000 });
      if (scope !== undefined) socket.named.add(scope);
      const collections = message['collections'] as readonly string[];
      socket.subscriptions.set(scope, { since: String(message['since']), collections, isOn: false });
    } else if (message['type'] === 'unsubscribe') this.ended(socket, scope, at, { is: 'closed', code: 1000 });
    else if (message['type'] === 'push')
      socket.pushes.set(message['id'], { own: socket.own, sentAt: at, path: '/push', body: message });
  }

  private received(socket: Socket, at: number, message: Fields): void {
    const scope = textOf(message['scope']);
    switch (message['type']) {
      case undefined:
        return this.told(socket, socket.current, at, { is: 'entry', entry: entryOf(message) });
      case 'scope':
        socket.current = scope;
        return;
      case 'subscribed': {
        const of = this.of(socket, scope);
        if (!of || (message['last_seq'] ?? of.since) !== of.since) return;
        of.isOn = true;
        const { since, collections } = of;
        return this.told(socket, scope, at, { is: 'subscribed', since: since || null, collections });
      }
      case 'ping': {
        const scopes = Object.entries(fieldsOf(message['scopes']));
        const all = scopes.length > 0 ? scopes : [[undefined, message] as const];
        for (const [name, position] of all)
          this.told(socket, name, at, {
            is: 'ping',
            lastSeq: textOf(fieldsOf(position)['last_seq']) ?? null,
          });
        return;
      }
      case 'pushed':
      case 'push_failed': {
        const asked = socket.pushes.get(message['id']);
        socket.pushes.delete(message['id']);
        const code = textOf(message['code']) ?? '';
        const status = message['type'] === 'pushed' ? 200 : (ERROR_CODES as Record<string, number>)[code];
        const answer = { status: status ?? 500, code: status === 200 ? null : code };
        if (asked) this.push(asked, at, answer, message, 'socket');
        return;
      }
      case 'full_resync_required':
        return this.ended(socket, scope, at, { is: 'resync', reason: String(message['reason']) });
      case 'scope_lost':
        return this.ended(socket, scope, at, { is: 'lost' });
      case 'error':
        return this.ended(socket, scope, at, { is: 'error', code: String(message['code']) });
    }
  }

  private closed(key: string, at: number, code: number): void {
    const socket = this.sockets.get(key);
    if (!socket) return;
    this.sockets.delete(key);
    for (const asked of socket.pushes.values()) this.push(asked, at, null, undefined, 'socket');
    for (const scope of [...socket.subscriptions.keys()])
      this.ended(socket, scope, at, { is: 'closed', code });
  }

  private ended(socket: Socket, scope: string | undefined, at: number, what: StreamEvent['what']): void {
    this.told(socket, scope, at, what);
    socket.subscriptions.delete(this.called(socket, scope));
  }

  private told(socket: Socket, scope: string | undefined, at: number, what: StreamEvent['what']): void {
    if (this.of(socket, scope)?.isOn !== true) return;
    const { device, own, connection } = socket;
    const log = this.logOf(own, this.called(socket, scope));
    this.known.push({ kind: 'stream', ...log, reader: nameOf(device, log), connection, at, what });
  }

  private of(socket: Socket, scope: string | undefined): Subscription | undefined {
    return socket.subscriptions.get(this.called(socket, scope));
  }

  /** The server names the own scope too. */
  private called({ named }: Socket, scope: string | undefined): string | undefined {
    return scope !== undefined && named.has(scope) ? scope : undefined;
  }

  private logOf(own: string, scope: unknown): Log {
    const tenant = own === this.main ? 'main' : 'other';
    return typeof scope === 'string' && scope !== own ? { tenant, scope } : { tenant };
  }
}

/** Of fields that entries do not tell apart. */
const SETS: SentPatch = { inc: 0, add: [], remove: [], optional: 'set' };

/** Documents of devices hold the marks of many edits. For the oracles the mark is the mutation, which an entry names itself. */
const READING = { secrets: secretsOf('devices', 'none') };

function entryOf(value: unknown): Seen {
  const entry = parseEntry(value, READING);
  return { ...entry, marker: entry.operation === 'delete' ? null : (entry.mutation ?? null) };
}

function changeOf(value: unknown): SentChange {
  const change = fieldsOf(value);
  const { operation } = change;
  const mutation = textOf(change['mutation_id']) ?? null;
  const parentMutation = textOf(change['parent_mutation_id']);
  const group = textOf(change['group']);
  return {
    collection: String(change['collection']),
    docId: String(change['doc_id']),
    operation: operation === 'delete' || operation === 'patch' ? operation : 'upsert',
    mutation,
    parent: textOf(change['parent_version']) ?? null,
    ...(parentMutation === undefined ? {} : { parentMutation }),
    hlc: textOf(change['hlc']) ?? null,
    // Not of orders, which may be made what they are already: then nothing is written.
    marker: operation === 'upsert' && change['collection'] !== 'orders' ? mutation : null,
    // One that only counts and adds never conflicts.
    ...(operation === 'patch' && ('data' in change || 'unset' in change) ? { patch: SETS } : {}),
    group,
    // Which no server may take: see edits.ts.
    flaw: String(change['doc_id']).startsWith('bad-') ? 'shape' : null,
  };
}

function isPush({ path }: Asked): boolean {
  return path.endsWith('/push');
}

function nameOf(device: string, { tenant, scope }: Log): string {
  return `${device} ${scope ?? tenant}`;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
