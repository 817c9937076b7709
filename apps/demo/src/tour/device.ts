import type {
  FullEnd,
  FullLine,
  LogChange,
  PullPageResponse,
  PushResponse,
  PushResult,
  SentChange,
  SentPush,
} from 'nest-offline-sync-protocol';
import { check } from './check';
import { LiveStream } from './live-stream';
import type { Server } from './server';

export interface FullPage {
  readonly lines: readonly FullLine[];
  /** Pull from here afterwards. */
  readonly lastSeq: string;
  /** The next page; undefined after the last one. */
  readonly cursor: string | undefined;
}

/** A client of the demo: just fetch and a WebSocket. Keeps its cursor, as a real device does. */
export class Device {
  /** Everything up to here is known; undefined knows nothing. */
  cursor: string | undefined;

  constructor(
    readonly name: string,
    private readonly server: Server,
    private readonly token: string,
  ) {}

  /** A new device of a user, who has logged in. */
  static async of(server: Server, name: string, user: string, business: string): Promise<Device> {
    return new Device(name, server, await server.token(user, business));
  }

  async push(...changes: SentChange[]): Promise<readonly PushResult[]> {
    const body: SentPush = { client_id: this.name, changes };
    const answer = await this.request('POST', `/${this.server.prefix}/push`, body);
    check(answer.status === 200, `push answers 200, not ${String(answer.status)}`);
    return ((await answer.json()) as PushResponse).results;
  }

  /**
   * Pushes one change that must be accepted.
   *
   * @returns its version
   */
  async write(change: SentChange): Promise<string> {
    const [result] = await this.push(change);
    const why = result ? `${String(result.code)}: ${String(result.error)}` : 'no result';
    check(result?.status === 'accepted', `${change.operation} in ${change.collection} is accepted (${why})`);
    return result.new_version ?? '';
  }

  /** One page from the cursor on; moves the cursor. */
  async pull(limit = 500): Promise<PullPageResponse> {
    const query = new URLSearchParams({
      limit: String(limit),
      ...(this.cursor ? { since: this.cursor } : {}),
    });
    const answer = await this.request('GET', `/${this.server.prefix}/pull?${query.toString()}`);
    check(answer.status === 200, `pull answers 200, not ${String(answer.status)}`);
    const page = (await answer.json()) as PullPageResponse;
    this.cursor = page.last_seq;
    return page;
  }

  /** All pages from the cursor on. */
  async pullAll(): Promise<LogChange[]> {
    const entries: LogChange[] = [];
    for (;;) {
      const page = await this.pull();
      entries.push(...page.changes);
      if (!page.has_more) return entries;
    }
  }

  async full(limit: number, cursor?: string): Promise<FullPage> {
    const query = new URLSearchParams({ limit: String(limit), ...(cursor ? { cursor } : {}) });
    const answer = await this.request('GET', `/${this.server.prefix}/full?${query.toString()}`);
    check(answer.status === 200, `full answers 200, not ${String(answer.status)}`);
    const lines = (await answer.text())
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as FullLine | FullEnd);
    const last = lines.pop();
    check(last !== undefined && 'end' in last, 'the last line says that the page is complete');
    check(last.last_seq === answer.headers.get('x-sync-lastseq'), 'and repeats X-Sync-LastSeq');
    return { lines: lines as FullLine[], lastSeq: last.last_seq, cursor: last.cursor ?? undefined };
  }

  /** What is new from the cursor on, as it happens. */
  async live(): Promise<LiveStream> {
    return LiveStream.open(this.server, { since: this.cursor, token: this.token });
  }

  async request(method: string, path: string, body?: object): Promise<Response> {
    return fetch(`${this.server.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  }
}
