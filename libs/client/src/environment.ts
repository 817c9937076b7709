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
  /**
   * Calls when waiting makes no sense any more: back online, visible again. `wasAway`: it was frozen, or hidden for long, so that it may
   * have missed what other tabs said. Returns what ends it.
   */
  onWake?: ((call: (wasAway?: boolean) => void) => () => void) | undefined;
  /**
   * What tabs share. Used if the storage says that other tabs see its databases (`isShared`), or if it is given. Undefined: each client
   * is on its own, and the one that was opened last sends and reads.
   */
  tabs?: Tabs | undefined;
}

/** How the tabs of one browser (and its service workers) come to know of each other. */
export interface Tabs {
  /**
   * Waits for a lock that one tab at a time has, or takes it away from the one that has it. `told` hears true when it is had, and
   * false when another tab has taken it.
   *
   * @returns what gives it back, or ends the wait
   */
  lock(name: string, how: 'wait' | 'steal', told: (isHeld: boolean) => void): () => void;
  /** Tells plain data to all others that listen to this name. */
  channel(name: string, receive: (message: unknown) => void): TabChannel;
  /** Whether the user sees this one. */
  isVisible(): boolean;
}

export interface TabChannel {
  post(message: unknown): void;
  close(): void;
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
  /** Where the platform gives an answer as it comes. */
  readonly body?: {
    getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> };
  } | null;
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
  readonly TextDecoder?: new () => {
    decode(bytes?: Uint8Array, options?: { readonly stream: true }): string;
  };
  readonly crypto?: { getRandomValues(bytes: Uint8Array): Uint8Array };
  readonly setTimeout: (call: () => void, ms: number) => unknown;
  readonly clearTimeout: (timer: unknown) => void;
  readonly addEventListener?: Listens;
  readonly removeEventListener?: Listens;
  readonly document?: {
    readonly visibilityState: string;
    readonly addEventListener: Listens;
    readonly removeEventListener: Listens;
  };
  readonly navigator?: { readonly locks?: Locks };
  readonly BroadcastChannel?: new (name: string) => {
    onmessage: ((event: { readonly data: unknown }) => void) | null;
    postMessage(message: unknown): void;
    close(): void;
  };
}

type Listener = (event: { readonly persisted?: boolean }) => void;
type Listens = (name: string, call: Listener) => void;

/** As much of the Web Locks as is used. */
interface Locks {
  request(
    name: string,
    options: { readonly steal: true } | { readonly signal: unknown },
    held: () => Promise<void> | undefined,
  ): Promise<unknown>;
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
    tabs: webTabs(place),
    ...given,
  };
}

/** The text of an answer as it comes; where the platform cannot give it so, the whole at once. */
export async function* piecesOf(answer: FetchAnswer): AsyncGenerator<string> {
  const { TextDecoder } = globalThis as unknown as Platform;
  if (!answer.body || !TextDecoder) {
    yield await answer.text();
    return;
  }
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  for (let isOver = false; !isOver;) {
    const { done, value } = await reader.read();
    isOver = done;
    yield done ? decoder.decode() : decoder.decode(value, { stream: true });
  }
}

/** Hidden for longer than this, messages of other tabs may be lost: browsers freeze and throw away what nobody sees. */
const AWAY_MS = 60_000;

function wakeUps(place: Platform, call: (wasAway: boolean) => void): () => void {
  const { document } = place;
  let hiddenAt: number | undefined;
  const turned = (): void => {
    if (document?.visibilityState !== 'visible') return void (hiddenAt ??= Date.now());
    const wasAway = hiddenAt !== undefined && Date.now() - hiddenAt > AWAY_MS;
    hiddenAt = undefined;
    call(wasAway);
  };
  const online = (): void => call(false);
  const shown = ({ persisted }: { readonly persisted?: boolean }): void => {
    if (persisted) call(true);
  };
  const thawed = (): void => call(true);
  const all = [
    [place, 'online', online],
    [place, 'pageshow', shown],
    [document, 'visibilitychange', turned],
    [document, 'resume', thawed],
  ] as const;
  for (const [target, name, listener] of all) target?.addEventListener?.(name, listener);
  return () => {
    for (const [target, name, listener] of all) target?.removeEventListener?.(name, listener);
  };
}

function webTabs(place: Platform): Tabs | undefined {
  const { navigator, BroadcastChannel, AbortController, document } = place;
  const locks = navigator?.locks;
  if (!locks || !BroadcastChannel || !AbortController) return undefined;
  return {
    lock: (name, how, told) => {
      const abort = new AbortController();
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      let [isHeld, isOver] = [false, false];
      locks
        .request(name, how === 'steal' ? { steal: true } : { signal: abort.signal }, () => {
          if (isOver) return undefined;
          isHeld = true;
          told(true);
          return released;
        })
        // Taken away. If it was never had, the browser gives no locks to this page: then it is on its own.
        .catch(() => isOver || told(!isHeld));
      const end = (): void => {
        isOver = true;
        abort.abort();
        release();
      };
      // A page that is kept for a step back stands still: others go on without it, and it comes back as one that was robbed.
      const kept: Listener = ({ persisted }) => persisted && end();
      const shown: Listener = ({ persisted }) => persisted && told(false);
      place.addEventListener?.('pagehide', kept);
      place.addEventListener?.('pageshow', shown);
      return () => {
        place.removeEventListener?.('pagehide', kept);
        place.removeEventListener?.('pageshow', shown);
        end();
      };
    },
    channel: (name, receive) => {
      const channel = new BroadcastChannel(name);
      channel.onmessage = ({ data }) => receive(data);
      return { post: (message) => channel.postMessage(message), close: () => channel.close() };
    },
    isVisible: () => document?.visibilityState === 'visible',
  };
}
