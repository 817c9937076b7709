/**
 * What the client needs of the place that it runs in. Browsers, Node from 22 on, Deno, Bun and React Native have all of it; what one
 * lacks, or a test wants otherwise, is given as `environment` of the client. Nothing is looked up before a client is made.
 */
export interface Environment {
  /** The device's clock, which may be wrong. Milliseconds since 1970. */
  now(): number;
  /** 0 to 1, for jitter. */
  random(): number;
  /** For ids: of a generator that nobody can foresee. */
  randomBytes(count: number): Uint8Array;
  /** Calls once after so many milliseconds. Returns what prevents it. */
  timer(ms: number, call: () => void): () => void;
  fetch: Fetch;
  /** What a request is called off with. */
  abort(): Abort;
  /** Undefined: no socket; the client asks now and then. */
  socket?: ((url: string) => ClientSocket) | undefined;
  /** Calls when waiting makes no sense any more: back online, visible again. Returns what ends it. */
  onWake?: ((call: () => void) => () => void) | undefined;
}

export interface Abort {
  readonly signal: unknown;
  abort(): void;
}

/** As much of `fetch` as is used. */
export type Fetch = (
  url: string,
  request: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly signal?: unknown;
  },
) => Promise<FetchAnswer>;

export interface FetchAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

/** As much of a WebSocket as is used. */
export interface ClientSocket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** What of the platform is looked for. */
interface Platform {
  readonly fetch?: (url: string, request: unknown) => Promise<FetchAnswer>;
  readonly WebSocket?: new (url: string) => ClientSocket;
  readonly AbortController?: new () => Abort;
  readonly crypto?: { getRandomValues(bytes: Uint8Array): Uint8Array };
  readonly setTimeout: (call: () => void, ms: number) => unknown;
  readonly clearTimeout: (timer: unknown) => void;
  readonly addEventListener?: (name: string, call: () => void) => void;
  readonly removeEventListener?: (name: string, call: () => void) => void;
  readonly document?: {
    readonly visibilityState: string;
    addEventListener(name: string, call: () => void): void;
    removeEventListener(name: string, call: () => void): void;
  };
}

/** What the platform has, with what is given in place of it. */
export function environment(given: Partial<Environment> = {}): Environment {
  const place = globalThis as unknown as Platform;
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    randomBytes: (count) => {
      if (!place.crypto)
        throw new Error(
          'This platform has no crypto.getRandomValues: give environment.randomBytes to createSyncClient.',
        );
      return place.crypto.getRandomValues(new Uint8Array(count));
    },
    timer: (ms, call) => {
      const timer = place.setTimeout(call, ms);
      return () => place.clearTimeout(timer);
    },
    fetch: async (url, request) => {
      if (!place.fetch)
        throw new Error('This platform has no fetch: give environment.fetch to createSyncClient.');
      return place.fetch(url, request);
    },
    abort: () =>
      place.AbortController ? new place.AbortController() : { signal: undefined, abort: () => undefined },
    socket: place.WebSocket && ((url) => new (place.WebSocket as new (url: string) => ClientSocket)(url)),
    onWake: (call) => wakeUps(place, call),
    ...given,
  };
}

function wakeUps(place: Platform, call: () => void): () => void {
  const { document } = place;
  const seen = (): void => {
    if (document?.visibilityState === 'visible') call();
  };
  place.addEventListener?.('online', call);
  document?.addEventListener('visibilitychange', seen);
  return () => {
    place.removeEventListener?.('online', call);
    document?.removeEventListener('visibilitychange', seen);
  };
}
