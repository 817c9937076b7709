import WebSocket from 'ws';

/** A connection that was handed to a process just as that was killed is never answered: no request waits longer. */
const ANSWER_LIMIT_MS = 20_000;

export interface Change {
  readonly version: string;
  readonly seq: number;
  readonly collection: string;
  readonly doc_id: string;
  readonly operation: string;
  readonly data: unknown;
}

interface Result {
  readonly status: string;
  readonly code: string | null;
  readonly new_version: string | null;
  readonly replayed?: true;
}

/** One tenant's device, over the public wire only. */
export class Device {
  private constructor(
    readonly url: string,
    readonly scope: string,
    readonly token: string,
  ) {}

  static async open(url: string, scope: string, user: string): Promise<Device> {
    const response = await fetch(`${url}/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: user, business_id: scope }),
    });
    const { token } = (await response.json()) as { token: string };
    return new Device(url, scope, token);
  }

  /** Statuses other than 200 come back as they are: the caller counts them. */
  async push(clientId: string, changes: readonly object[]): Promise<{ status: number; results: Result[] }> {
    const response = await fetch(`${this.url}/sync/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` },
      body: JSON.stringify({ client_id: clientId, changes }),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    const body = (await response.json()) as { results?: Result[] };
    return { status: response.status, results: body.results ?? [] };
  }

  async pull(
    since: string | undefined,
  ): Promise<{ status: number; changes: Change[]; last_seq: string; has_more: boolean }> {
    const query = new URLSearchParams({ limit: '1000', ...(since === undefined ? {} : { since }) });
    const response = await fetch(`${this.url}/sync/pull?${query.toString()}`, {
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      headers: { authorization: `Bearer ${this.token}` },
    });
    const body = (await response.json()) as { changes: Change[]; last_seq: string; has_more: boolean };
    return { ...body, status: response.status };
  }

  /** The scope's live documents by collection and id. */
  async full(): Promise<Map<string, string>> {
    const response = await fetch(`${this.url}/sync/full?limit=0`, {
      headers: { authorization: `Bearer ${this.token}` },
    });
    const documents = new Map<string, string>();
    for (const line of (await response.text()).split('\n')) {
      if (line === '') continue;
      // The end line has no document.
      const row = JSON.parse(line) as {
        collection: string;
        doc_id: string;
        data: unknown;
        deleted?: boolean;
      };
      if (row.deleted === false) documents.set(`${row.collection}/${row.doc_id}`, JSON.stringify(row.data));
    }
    return documents;
  }

  /** Reconnects from its own last version until it is closed. */
  listen(onChange: (change: Change, at: number) => void): { close(): void } {
    let since: string | undefined;
    let socket: WebSocket | undefined;
    let closed = false;
    const connect = (): void => {
      socket = new WebSocket(`${this.url.replace('http', 'ws')}/sync/stream`);
      socket.on('open', () => socket?.send(JSON.stringify({ type: 'subscribe', token: this.token, since })));
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString()) as Change & { type?: string };
        if (message.type !== undefined) return;
        since = message.version;
        onChange(message, performance.now());
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (!closed) setTimeout(connect, 50);
      });
    };
    connect();
    return {
      close: () => {
        closed = true;
        socket?.close();
      },
    };
  }
}
