import { isObject } from 'nest-offline-sync-protocol';
import { tokenFailure, type Auth } from './auth.ts';
import { piecesOf, type Environment, type FetchAnswer } from './environment.ts';
import { failureOf, NETWORK, NO_TOKEN, secondsUntil, type Failure } from './rules/failure.ts';

export interface Request {
  readonly method: 'GET' | 'POST';
  /** Behind the prefix: `push`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
  /** The answer is lines, and this takes them. Its errors are thrown. */
  readonly lines?: TakeLines;
}

type Header = (name: string) => string | null;

/**
 * Takes some hundred lines of an answer that is on its way, and is waited for.
 *
 * @returns false: no more of it is wanted
 */
export type TakeLines = (lines: readonly Line[], header: Header) => Promise<boolean>;
export type Line = Readonly<Record<string, unknown>>;

export type Answer =
  | {
      readonly ok: true;
      /** Undefined if lines were asked for. */
      readonly body: unknown;
      readonly header: Header;
      readonly sentAt: number;
      readonly receivedAt: number;
    }
  | { readonly ok: false; readonly failure: Failure };

const TIMEOUT_MS = 60_000;

/** Requests over HTTP. An answer is what the server said, or a failure. */
export class Transport {
  private readonly pending = new Set<() => void>();

  constructor(
    private readonly url: string,
    private readonly auth: Auth,
    private readonly environment: Environment,
    /** Goes with every request. */
    readonly clientSchema: string | undefined,
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
      return { ok: false, failure: tokenFailure(error) };
    }
    const answer = await this.send(request, token);
    if (!answer.ok && answer.failure.kind === 'auth') this.auth.refused(token);
    return answer;
  }

  private async send({ method, path, query = {}, body, lines }: Request, token: string): Promise<Answer> {
    const { environment } = this;
    const { signal, abort } = bound(environment.abort());
    let end = environment.timer(TIMEOUT_MS, abort);
    this.pending.add(abort);
    const sentAt = environment.now();
    let thrown: [unknown] | undefined;
    let taking = Promise.resolve(true);
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
      const header: Header = (name) => answer.headers.get(name);
      if (answer.status !== 200) {
        const refusal = parsed(await answer.text());
        const seconds = secondsUntil(header('retry-after'), header('date'), environment.now());
        const failure = failureOf(answer.status, refusal, seconds);
        return { ok: false, failure };
      }
      let told: unknown;
      if (lines) {
        // While some lines are taken, the next ones are read.
        const taken = async (): Promise<boolean> => {
          end();
          const isWanted = await taking;
          end = environment.timer(TIMEOUT_MS, abort);
          return isWanted;
        };
        for await (const some of linesOf(answer)) {
          if (!(await taken())) break;
          taking = lines(some, header);
          taking.catch((error: unknown) => (thrown = [error]));
        }
        await taken();
      } else if ((told = parsed(await answer.text())) === undefined) return { ok: false, failure: NETWORK };
      return { ok: true, body: told, header, sentAt, receivedAt: environment.now() };
    } catch {
      await taking.catch(() => undefined);
      if (thrown) throw thrown[0];
      return { ok: false, failure: NETWORK };
    } finally {
      if (lines) abort();
      end();
      this.pending.delete(abort);
    }
  }
}

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

/** What the page does for the user waits for so many lines at most. */
const LINES = 500;

/** @throws Error if something that has come is no line */
async function* linesOf(answer: FetchAnswer): AsyncGenerator<readonly Line[]> {
  let rest = '';
  let found: Line[] = [];
  for await (const piece of piecesOf(answer)) {
    rest += piece;
    let from = 0;
    for (let to; (to = rest.indexOf('\n', from)) >= 0; from = to + 1) {
      const line: unknown = JSON.parse(rest.slice(from, to));
      if (!isObject(line)) throw new TypeError('A line is no object.');
      found.push(line);
      if (found.length < LINES) continue;
      yield found;
      found = [];
    }
    rest = rest.slice(from);
  }
  if (found.length > 0) yield found;
}
