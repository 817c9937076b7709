/** One HTTP answer, read to its end. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly token: string | null;
  /** JSON text. */
  readonly body?: string;
  readonly limitMs: number;
}

/** @returns null when no whole answer came in time, whatever the reason */
export async function exchange(url: string, { method, token, body, limitMs }: Ask): Promise<Reply | null> {
  try {
    const response = await fetch(url, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      redirect: 'error',
      signal: AbortSignal.timeout(limitMs),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch {
    return null;
  }
}

/** Everything of an answer that the receiver could look at. */
export function bytesOf({ headers, text }: Reply): string {
  return `${JSON.stringify([...headers])}\n${text}`;
}

/** A body as JSON; undefined when it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
