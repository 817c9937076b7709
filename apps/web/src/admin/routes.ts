/** As much of the answers of SyncAdminModule as the page shows. docs/admin.md has them whole. */
export interface List<Row> {
  readonly rows: readonly Row[];
  readonly next: string | null;
}

export interface Scope {
  readonly scope: string;
  readonly seq: number;
  readonly floor_seq: number;
  readonly entries: number;
  readonly waiting: number;
  readonly changed_at: string | null;
}

export interface Device {
  readonly scope: string;
  readonly actor: string;
  readonly client: string | null;
  readonly client_schema: string | null;
  readonly seen_at: string;
  readonly push_at: string | null;
  readonly pull_at: string | null;
  readonly socket_at: string | null;
  readonly will_reload: boolean;
  readonly scopes: readonly {
    readonly scope: string;
    readonly behind: number | null;
    readonly behind_ms: number | null;
    readonly will_reload: boolean | null;
  }[];
}

export interface Refused {
  readonly id: string;
  readonly at: string;
  readonly scope: string;
  readonly actor: string;
  readonly client: string;
  readonly collection: string | null;
  readonly doc_id: string | number | null;
  readonly operation: string | null;
  readonly code: string;
  readonly error: string | null;
  readonly change?: object;
  readonly applied: { readonly at: string; readonly status: string; readonly code: string | null } | null;
}

interface Lease {
  readonly held: boolean;
  readonly here: boolean;
}

export interface Status {
  readonly server_time: string;
  readonly versions: { readonly package: string; readonly wire: number; readonly node: string };
  readonly health: {
    readonly status: 'up' | 'down';
    readonly details: {
      readonly changeStream?: string;
      readonly warnings?: readonly string[];
      readonly error?: string;
    };
  };
  readonly change_stream: { readonly reopened: number };
  readonly trimming: {
    readonly log_days: number;
    readonly interval_ms: number;
    readonly lease: Lease | null;
  };
  readonly capture: { readonly collections: readonly string[]; readonly behind_ms: number | null } | null;
  readonly database: {
    readonly name: string;
    readonly missing: readonly string[];
    readonly collections: readonly {
      readonly collection: string;
      readonly documents: number | null;
      readonly bytes: number | null;
    }[];
  };
}

export type Verification =
  | {
      readonly finished: true;
      readonly report: {
        readonly scopes: number;
        readonly documents: number;
        readonly differences: number;
        readonly compared: readonly {
          readonly scope: string;
          readonly collection: string;
          readonly live: number;
          readonly differences: number;
        }[];
      };
    }
  | { readonly finished: false; readonly progress: { readonly scopes: number; readonly documents: number } };

export interface Applied {
  readonly results: readonly {
    readonly status: string;
    readonly code: string | null;
    readonly error: string | null;
  }[];
}

/** What the server says against a request. */
export class RouteError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The routes at /admin/sync with a token. */
export class Routes {
  constructor(private readonly token: string) {}

  get<T>(path: string): Promise<T> {
    return this.ask<T>(path);
  }

  post<T>(path: string, body: object = {}): Promise<T> {
    return this.ask<T>(path, { method: 'POST', body: JSON.stringify(body) });
  }

  private async ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' };
    const answer = await fetch(`/admin/sync/${path}`, { ...init, headers }).catch(() => {
      throw new RouteError(0, 'offline', 'The server cannot be reached.');
    });
    const body = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
    if (answer.ok) return body as T;
    throw new RouteError(answer.status, body.code ?? 'unknown', body.message ?? answer.statusText);
  }
}

/** A token of the demo's development route, for somebody who is an operator. */
export async function operatorToken(): Promise<string> {
  const answer = await fetch('/auth/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: 'olga', business_id: 'head-office', role: 'operator' }),
  });
  if (!answer.ok)
    throw new RouteError(
      answer.status,
      'no_token',
      'This server gives no tokens away: paste one of an operator.',
    );
  return ((await answer.json()) as { token: string }).token;
}
