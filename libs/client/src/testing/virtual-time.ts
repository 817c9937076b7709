import type { Environment } from '../environment.ts';

interface Timer {
  readonly at: number;
  readonly call: () => void;
}

/**
 * Time that passes only when a test says so, and chance that is the same in each run:
 * `environment: { ...time.environment(), fetch: server.fetch, socket: server.socket }`. Hours of waiting take milliseconds.
 */
export class VirtualTime {
  private readonly timers = new Map<number, Timer>();
  private last = 0;
  private draws = 0;

  /** @param now milliseconds since 1970 */
  constructor(public now: number = Date.UTC(2026, 0, 1)) {}

  /**
   * For the `environment` of a client. Ids are never drawn twice by clients of the same time.
   *
   * @param skewMs how far the device's clock is ahead
   */
  environment(skewMs = 0): Pick<Environment, 'now' | 'timer' | 'random' | 'randomBytes'> {
    return {
      now: () => this.now + skewMs,
      timer: (ms, call) => this.timer(ms, call),
      random: () => 0.5,
      randomBytes: (count) => this.bytes(count),
    };
  }

  timer(ms: number, call: () => void): () => void {
    const id = ++this.last;
    this.timers.set(id, { at: this.now + Math.max(0, ms), call });
    return () => this.timers.delete(id);
  }

  /** Lets everything happen that can happen within so many milliseconds. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    await settle();
    for (;;) {
      const next = [...this.timers]
        .filter(([, { at }]) => at <= end)
        .sort(([i, a], [j, b]) => a.at - b.at || i - j)[0];
      if (!next) break;
      const [id, { at, call }] = next;
      this.timers.delete(id);
      this.now = Math.max(this.now, at);
      call();
      await settle();
    }
    this.now = end;
    await settle();
  }

  private bytes(count: number): Uint8Array {
    const seed = String(++this.draws);
    return Uint8Array.from({ length: count }, (_, at) => {
      let hash = 2_166_136_261 + at;
      for (const char of `${seed}:${at}`) hash = Math.imul(hash ^ char.charCodeAt(0), 16_777_619);
      return (hash >>> 16) & 0xff;
    });
  }
}

/** What a platform has to let promises go on. */
interface Turns {
  readonly setImmediate?: (call: () => void) => unknown;
  readonly setTimeout: (call: () => void, ms: number) => unknown;
}

/** All promises that wait for no timer have gone on. */
export async function settle(): Promise<void> {
  const { setImmediate, setTimeout } = globalThis as unknown as Turns;
  for (let round = 0; round < 2; round++)
    await new Promise<void>((resolve) => (setImmediate ? setImmediate(resolve) : setTimeout(resolve, 0)));
}
