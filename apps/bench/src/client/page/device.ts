/** What is measured in a page, the same for every client: its own code is a {@link Device}. */

export interface Setup {
  /** Of the device's databases. */
  readonly name: string;
  readonly token: string;
}

export interface Note {
  readonly title: string;
  readonly done: boolean;
  readonly note: string;
  readonly qty: number;
}

/** The state of a query over all notes. */
export interface Shown {
  readonly count: number;
  /** All that the server has is here. */
  readonly isComplete: boolean;
  readonly notes: () => Iterable<readonly [id: string, note: Note]>;
}

export interface Device {
  /** Begins to sync. Resolves when edits can be made. */
  open(setup: Setup): Promise<void>;
  /** Tells each state from now on. Returns what ends it. */
  show(listener: (state: Shown) => void): () => void;
  /** Resolves when it is kept on the device, or wherever this client keeps it. */
  add(id: string, note: Note): Promise<unknown>;
  setQty(id: string, qty: number): Promise<unknown>;
  /** Resolves when the server has taken everything. */
  sent(): Promise<unknown>;
}

/** Milliseconds of the machine's clock, so that pages and profiles can be compared. */
export const now = (): number => performance.timeOrigin + performance.now();

interface LoadResult {
  readonly ms: number;
  /** The longest task of the page meanwhile; 0: none above 50 ms. */
  readonly longestTask: number;
}

/** What a bench calls in the page. */
export function callsOf(device: Device) {
  let state: Shown | undefined;
  let end: (() => void) | undefined;
  let waiting: (() => void) | undefined;
  const seen = new Map<string, number>();
  let isNoting = false;
  const push = countPushes();

  const take = (next: Shown): void => {
    state = next;
    if (isNoting)
      for (const [id, { qty }] of next.notes()) {
        const key = `${id} ${qty}`;
        if (!seen.has(key)) seen.set(key, now());
      }
    waiting?.();
  };

  return {
    /** Until a query over everything is complete for the first time. */
    async load(setup: Setup, count: number): Promise<LoadResult> {
      const tasks = longTasks();
      const start = performance.now();
      const isThere = new Promise<number>((resolve) => {
        waiting = () => {
          if (state?.isComplete && state.count === count) resolve(performance.now());
        };
      });
      end = device.show(take);
      await device.open(setup);
      const ms = (await isThere) - start;
      waiting = undefined;
      return { ms, longestTask: await tasks() };
    },
    /** A first load whose answers are kept in memory, and one by another device that they are given to: without server and network. */
    async again(first: Setup, second: Setup, count: number): Promise<LoadResult> {
      const replay = recordAnswers();
      await this.load(first, count);
      this.hide();
      replay.begin();
      try {
        return await this.load(second, count);
      } finally {
        replay.end();
      }
    },
    /** Of ids and quantities, in any order. */
    digest: (): string => (state ? digestOf(state.notes()) : ''),
    hide(): void {
      end?.();
      end = state = undefined;
    },
    /** From now on it is noted when each quantity is shown first. */
    note(): void {
      isNoting = true;
    },
    seen: (): [string, number][] => [...seen],
    async open(setup: Setup): Promise<void> {
      await device.open(setup);
    },
    /** @returns when each edit was begun */
    async edit(ids: readonly string[], first: number, pauseMs: number): Promise<[string, number][]> {
      const begun: [string, number][] = [];
      for (const [at, id] of ids.entries()) {
        begun.push([`${id} ${first + at}`, now()]);
        await device.setQty(id, first + at);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
      return begun;
    },
    /** Offline. @returns milliseconds of all together */
    async add(notes: readonly (readonly [id: string, note: Note])[]): Promise<number> {
      const start = performance.now();
      await Promise.all(notes.map(([id, note]) => device.add(id, note)));
      return performance.now() - start;
    },
    /** Resolves when everything is sent, with the time since the network was there again. */
    flushed(): Promise<{ readonly ms: number; readonly requests: number }> {
      const before = push.count;
      return new Promise((resolve, reject) => {
        addEventListener(
          'online',
          () => {
            const start = performance.now();
            device
              .sent()
              .then(() => resolve({ ms: performance.now() - start, requests: push.count - before }), reject);
          },
          { once: true },
        );
      });
    },
  };
}
export type Calls = ReturnType<typeof callsOf>;

/** FNV-1a of each, added up. */
export function digestOf(notes: Iterable<readonly [id: string, note: Note]>): string {
  let [sum, count] = [0, 0];
  for (const [id, { qty }] of notes) {
    let hash = 2166136261;
    for (const char of `${id} ${qty}`) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619);
    sum = (sum + (hash >>> 0)) % 4294967296;
    count += 1;
  }
  return `${count} ${sum}`;
}

function longTasks(): () => Promise<number> {
  let longest = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  });
  observer.observe({ type: 'longtask' });
  return async () => {
    // Entries come with a task of their own.
    await new Promise((resolve) => setTimeout(resolve, 200));
    observer.disconnect();
    return longest;
  };
}

/** Of a full resync, by the page. */
function recordAnswers(): { begin(): void; end(): void } {
  const answers = new Map<string, string>();
  let isReplaying = false;
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    if (typeof input !== 'string' || !input.includes('/full?')) return fetch(input, init);
    const page = new URL(input).searchParams.get('cursor') ?? '';
    const known = answers.get(page);
    if (isReplaying && known === undefined) throw new Error('It asks for another page than the first time.');
    if (isReplaying) return new Response(known);
    const answer = await fetch(input, init);
    answers.set(page, await answer.clone().text());
    return answer;
  };
  return {
    begin: () => (isReplaying = true),
    end: () => (globalThis.fetch = fetch),
  };
}

/** Pushes that leave the page, over whatever. */
function countPushes(): { readonly count: number } {
  const counted = { count: 0 };
  const { fetch, WebSocket } = globalThis;
  globalThis.fetch = (input, init) => {
    if (typeof input === 'string' && input.endsWith('/push')) counted.count += 1;
    return fetch(input, init);
  };
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the socket
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    if (typeof data === 'string' && data.startsWith('{"type":"push"')) counted.count += 1;
    send.call(this, data);
  };
  return counted;
}
