import type { ClientSocket, Environment } from 'nest-offline-sync-client';

/** What goes over the wire between a device and the server, as a device sees it. No token is told. */
export type WireEvent = {
  /** Milliseconds since 1970, of a clock that does not jump. */
  readonly at: number;
  /** Whose identity asks: its own scope. */
  readonly own: string;
  /** Of the page, or the process of Node: nothing that one before it has begun goes on. */
  readonly page: string;
  /** Of the request or the socket; unique in its page. */
  readonly id: number;
} & (
  | { readonly of: 'request'; readonly path: string; readonly body: string | undefined }
  | { readonly of: 'answer'; readonly status: number; readonly text: string }
  /** No answer came, or not all of it. */
  | { readonly of: 'lost' }
  | { readonly of: 'sent' | 'received'; readonly text: string }
  | { readonly of: 'closed'; readonly code: number }
);

type Told = WireEvent extends infer E
  ? E extends WireEvent
    ? Omit<E, 'at' | 'own' | 'page'>
    : never
  : never;

const page = Math.random().toString(36);
let last = 0;

/**
 * Listens to a client at its edge, past everything that it thinks of itself. What a device sends is heard before it goes: nothing
 * is on its way that nobody knows of, whatever becomes of the device.
 */
export class Tap {
  constructor(
    private readonly own: string,
    private readonly hear: (event: WireEvent) => void | Promise<void>,
    private readonly socketOf: (url: string) => ClientSocket,
  ) {}

  environment(): Pick<Environment, 'fetch' | 'socket'> {
    return { fetch: (url, request) => this.fetch(url, request), socket: (url) => this.socket(url) };
  }

  private readonly fetch: Environment['fetch'] = async (url, request) => {
    const id = ++last;
    const { pathname, search } = new URL(url);
    await this.tell({ id, of: 'request', path: `${pathname}${search}`, body: request.body });
    try {
      const { status, headers, ...answer } = await answerOf(url, request as RequestInit);
      void this.tell({ id, of: 'answer', status, text: answer.text });
      return { status, headers, text: async () => answer.text };
    } catch (error) {
      void this.tell({ id, of: 'lost' });
      throw error;
    }
  };

  private socket(url: string): ClientSocket {
    const id = ++last;
    const inner = this.socketOf(url);
    let sending = Promise.resolve();
    const outer: ClientSocket = {
      onopen: null,
      onmessage: null,
      onclose: null,
      onerror: null,
      send: (text) => {
        const told = this.tell({ id, of: 'sent', text: withoutToken(text) });
        // One that has closed meanwhile sends nothing.
        sending = Promise.all([told, sending])
          .then(() => inner.send(text))
          .catch(() => undefined);
      },
      close: (code) => {
        void this.tell({ id, of: 'closed', code: code ?? 1000 });
        inner.close(code);
      },
    };
    inner.onopen = (event) => outer.onopen?.(event);
    inner.onerror = (event) => outer.onerror?.(event);
    inner.onmessage = (event) => {
      // What a closed client does not hear, it was not given.
      if (outer.onmessage && typeof event.data === 'string')
        void this.tell({ id, of: 'received', text: event.data });
      outer.onmessage?.(event);
    };
    inner.onclose = (event) => {
      void this.tell({ id, of: 'closed', code: event.code });
      outer.onclose?.(event);
    };
    return outer;
  }

  private async tell(event: Told): Promise<void> {
    await this.hear({ ...event, page, own: this.own, at: wireTime() });
  }
}

/** Milliseconds since 1970, of a clock that does not jump. */
export function wireTime(): number {
  return performance.timeOrigin + performance.now();
}

async function answerOf(
  url: string,
  request: RequestInit,
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  const answer = await fetch(url, request);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

function withoutToken(text: string): string {
  const { token: _, ...message } = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify(message);
}
