import type { Answer, DigestEvent, FullRow, PullEvent, SentChange } from '../history';
import type { Endpoints } from './endpoints';
import { bytesOf, exchange, type Reply } from './exchange';
import { answerOf, isWhole, parseDigest, parsePage, parseResults, parseRows, type Reading } from './parse';
import { PushSocket, type Pushed } from './push-socket';
import type { SeenPool } from './seen-pool';

/** What all devices of a tenant share. */
export interface Credentials {
  /** Asked before each request, so that it may be renewed during a run. */
  readonly token: () => string;
  readonly reading: Reading;
  /** Looks through everything that was received. */
  readonly received: (bytes: string, where: string) => void;
  /** The `Date` header of each answer. */
  readonly serverTime: (date: string | null) => void;
  /** Something that came over a socket and that nothing had asked for. */
  readonly stray?: (what: string) => void;
  readonly pool: SeenPool;
  /** Named in each request; missing: the identity's own. */
  readonly scope?: string;
}

export interface Timing {
  /** How long an answer may take, in milliseconds. */
  readonly answerLimitMs: number;
  /** A socket that nothing comes from for so long is given up, in milliseconds. */
  readonly silenceLimitMs: number;
}

/** A change with the data that travels and that no history keeps. */
export interface Outgoing {
  readonly sent: SentChange;
  /** As it goes over the wire. */
  readonly wire: Readonly<Record<string, unknown>>;
}

export interface PullQuestion {
  readonly since: string | null;
  /** The same cursor as an integer, sent in its place. */
  readonly sinceSeq?: number;
  readonly collections: readonly string[] | null;
  readonly limit?: number;
}

export interface FullPage {
  readonly answer: Answer;
  /** Null when it did not come, or not to its end. */
  readonly rows: FullRow[] | null;
  readonly lastSeq: string | null;
  /** `lastSeq` as an integer. */
  readonly seq: number | null;
  /** The next page's cursor; null after the last. */
  readonly next: string | null;
}

/** One device of one tenant, over the public wire only. Never throws for what a server does. */
export class Device {
  private socket: PushSocket | undefined;

  constructor(
    readonly credentials: Credentials,
    readonly endpoints: Endpoints,
    readonly prefix: string,
    readonly timing: Timing,
  ) {}

  async push(client: string, atomic: 'batch' | 'mutation', changes: readonly Outgoing[]): Promise<Pushed> {
    const reply = await this.ask('push', '/push', JSON.stringify(this.bodyOf(client, atomic, changes)));
    return { answer: answerOf(reply), results: parseResults(reply) };
  }

  /** The same over a socket that pushes alone, which is opened when there is none. */
  async pushOverSocket(
    streamPath: string,
    client: string,
    atomic: 'batch' | 'mutation',
    changes: readonly Outgoing[],
  ): Promise<Pushed> {
    this.socket ??= new PushSocket(this, streamPath);
    return this.socket.push(this.bodyOf(client, atomic, changes));
  }

  /** Closes what stays open between requests. */
  close(): void {
    this.socket?.close();
  }

  async pull(question: PullQuestion): Promise<{ answer: Answer; page: PullEvent['page'] }> {
    const { since, sinceSeq, collections, limit } = question;
    const query = this.query();
    if (sinceSeq !== undefined) query.set('since_seq', String(sinceSeq));
    else if (since !== null) query.set('since', since);
    if (collections !== null) query.set('collections', collections.join());
    if (limit !== undefined) query.set('limit', String(limit));
    const reply = await this.ask('pull', `/pull?${query.toString()}`);
    return { answer: answerOf(reply), page: parsePage(reply, (value) => this.credentials.pool.of(value)) };
  }

  /**
   * All pages of a full resync.
   *
   * @param limit documents a page; 0 for one stream
   */
  async full(limit: number): Promise<Omit<FullPage, 'next'>> {
    const rows: FullRow[] = [];
    let cursor: string | null = null;
    let seq: number | null = null;
    for (;;) {
      const page: FullPage = await this.fullPage(limit, cursor);
      const { answer, lastSeq } = page;
      seq ??= page.seq;
      if (page.rows === null) return { answer, rows: null, lastSeq, seq };
      for (const row of page.rows) rows.push(row);
      cursor = page.next;
      if (cursor === null) return { answer, rows, lastSeq, seq };
    }
  }

  async fullPage(limit: number, cursor: string | null): Promise<FullPage> {
    const query = this.query();
    query.set('limit', String(limit));
    if (cursor !== null) query.set('cursor', cursor);
    const reply = await this.ask('full', `/full?${query.toString()}`);
    const seq = reply?.headers.get('x-sync-seq') ?? null;
    return {
      answer: answerOf(reply),
      rows: reply?.status === 200 && isWhole(reply) ? parseRows(reply.text, this.credentials.reading) : null,
      lastSeq: reply?.headers.get('x-sync-lastseq') ?? null,
      seq: seq === null ? null : Number(seq),
      next: reply?.headers.get('x-sync-cursor') ?? null,
    };
  }

  async digest(): Promise<Pick<DigestEvent, 'answer' | 'lastSeq' | 'tombstoneFloor' | 'collections'>> {
    const reply = await this.ask('digest', `/digest?${this.query().toString()}`);
    return { answer: answerOf(reply), ...(parseDigest(reply) ?? { lastSeq: null, collections: null }) };
  }

  private query(): URLSearchParams {
    const { scope } = this.credentials;
    return new URLSearchParams(scope === undefined ? {} : { scope });
  }

  private bodyOf(client: string, atomic: 'batch' | 'mutation', changes: readonly Outgoing[]): object {
    const { scope } = this.credentials;
    return {
      ...{ client_id: client, atomic, changes: changes.map(({ wire }) => wire) },
      ...(scope === undefined ? {} : { scope }),
    };
  }

  /**
   * A request of any path below the prefix, as this tenant.
   *
   * @returns null when no answer came; the next request goes to the next server then
   */
  async ask(where: string, path: string, body?: string): Promise<Reply | null> {
    return this.askRaw(where, `/${this.prefix}${path}`, body === undefined ? 'GET' : 'POST', body);
  }

  async askRaw(where: string, path: string, method: string, body?: string): Promise<Reply | null> {
    const { endpoints, credentials, timing } = this;
    const reply = await exchange(`${endpoints.base}${path}`, {
      method,
      token: credentials.token(),
      ...(body === undefined ? {} : { body }),
      limitMs: timing.answerLimitMs,
    });
    if (reply === null || reply.status === 503) endpoints.moveOn();
    if (reply === null) return null;
    credentials.serverTime(reply.headers.get('date'));
    credentials.received(bytesOf(reply), where);
    return reply;
  }
}
