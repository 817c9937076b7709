import { isObject } from 'nest-offline-sync-protocol';
import type { Auth } from './auth.ts';
import type { Environment } from './environment.ts';
import { AuthError } from './errors.ts';
import { failureOf, NETWORK, type Failure } from './rules/failure.ts';

export interface Request {
  readonly method: 'GET' | 'POST';
  /** Behind the prefix: `push`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
  /** A text for each answer that proves to be whole; undefined: one that was cut off, or is of somebody else. */
  readonly lines?: true;
}

export type Answer =
  | {
      readonly ok: true;
      /** The body, or its lines. */
      readonly body: unknown;
      readonly header: (name: string) => string | null;
      readonly sentAt: number;
      readonly receivedAt: number;
    }
  | { readonly ok: false; readonly failure: Failure };

const TIMEOUT_MS = 60_000;

/** Requests over HTTP. An answer is what the server said, or a failure; it never throws. */
export class Transport {
  private readonly pending = new Set<() => void>();

  constructor(
    private readonly url: string,
    private readonly auth: Auth,
    private readonly environment: Environment,
  ) {}

  /** With a fresh token once more, if the server refused the one at hand. */
  async request(request: Request): Promise<Answer> {
    const first = await this.once(request);
    return !first.ok && first.failure.kind === 'auth' && first.failure.code !== NO_TOKEN
      ? this.once(request)
      : first;
  }

  /** Calls off what is on its way: nothing more of it is used. */
  abort(): void {
    for (const abort of this.pending) abort();
  }

  private async once(request: Request): Promise<Answer> {
    let token: string;
    try {
      token = await this.auth.token();
    } catch (error) {
      const message = error instanceof AuthError ? error.message : 'auth.token failed.';
      return { ok: false, failure: { kind: 'auth', code: NO_TOKEN, message, retryAfterMs: 0 } };
    }
    const answer = await this.send(request, token);
    if (!answer.ok && answer.failure.kind === 'auth') this.auth.refused(token);
    return answer;
  }

  private async send({ method, path, query = {}, body, lines }: Request, token: string): Promise<Answer> {
    const { environment } = this;
    const { signal, abort } = bound(environment.abort());
    const end = environment.timer(TIMEOUT_MS, abort);
    this.pending.add(abort);
    const sentAt = environment.now();
    try {
      const answer = await environment.fetch(`${this.url}/${path}${queryText(query)}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
      const text = await answer.text();
      const header = (name: string): string | null => answer.headers.get(name);
      if (answer.status !== 200) {
        const failure = failureOf(answer.status, parsed(text), Number(header('retry-after') ?? NaN));
        return { ok: false, failure };
      }
      const found = lines ? ndjson(text) : parsed(text);
      if (found === undefined) return { ok: false, failure: NETWORK };
      return { ok: true, body: found, header, sentAt, receivedAt: environment.now() };
    } catch {
      return { ok: false, failure: NETWORK };
    } finally {
      end();
      this.pending.delete(abort);
    }
  }
}

const NO_TOKEN = 'no_token';

function bound(abort: { readonly signal: unknown; abort(): void }): { signal: unknown; abort: () => void } {
  return { signal: abort.signal, abort: () => abort.abort() };
}

function queryText(query: Readonly<Record<string, string | undefined>>): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function ndjson(text: string): Record<string, unknown>[] | undefined {
  const lines: Record<string, unknown>[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const value = parsed(line);
    if (!isObject(value)) return undefined;
    lines.push(value);
  }
  return lines;
}
