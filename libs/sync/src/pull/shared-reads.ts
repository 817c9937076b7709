export interface SharedReadsBounds {
  /** A read is for at most this many keys. */
  readonly keys: number;
  /** After this many milliseconds those who wait get another read next to the one that is under way. */
  readonly patienceMs: number;
  /** At most this many reads run at the same time, so that a database that does not answer is not asked more and more. */
  readonly atOnce: number;
}

interface Waiting<V> {
  readonly answer: Promise<V>;
  readonly resolve: (value: V) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One read for all who ask at about the same time. While a read is under way, those who ask wait, and the next read is
 * for all of them together: the busier a process is, the less a question costs. A caller that asks alone waits for nobody.
 *
 * A read that answers somebody begins after they asked. So they see whatever was acknowledged before, as with a
 * separate read.
 */
export class SharedReads<V> {
  private waiting = new Map<string, Waiting<V>>();
  private underWay = 0;
  private patience: NodeJS.Timeout | undefined;

  /** @param read gives a look-up for the keys that it was asked for */
  constructor(
    private readonly read: (keys: readonly string[]) => Promise<(key: string) => V>,
    private readonly bounds: SharedReadsBounds,
  ) {}

  /** @throws what the read throws: it reaches all that waited for it */
  get(key: string): Promise<V> {
    let waiting = this.waiting.get(key);
    if (!waiting) this.waiting.set(key, (waiting = waitingFor<V>()));
    if (this.underWay === 0) this.start();
    else this.runOutOfPatience();
    return waiting.answer;
  }

  private start(): void {
    clearTimeout(this.patience);
    this.patience = undefined;
    this.underWay += 1;
    void this.serve(this.nextGroup()).then(() => {
      this.underWay -= 1;
      if (this.waiting.size > 0) this.start();
    });
  }

  private async serve(group: ReadonlyMap<string, Waiting<V>>): Promise<void> {
    try {
      const valueOf = await this.read([...group.keys()]);
      for (const [key, { resolve }] of group) resolve(valueOf(key));
    } catch (error) {
      for (const { reject } of group.values()) reject(error);
    }
  }

  private nextGroup(): ReadonlyMap<string, Waiting<V>> {
    const all = [...this.waiting];
    this.waiting = new Map(all.slice(this.bounds.keys));
    return new Map(all.slice(0, this.bounds.keys));
  }

  private runOutOfPatience(): void {
    if (this.patience || this.underWay >= this.bounds.atOnce) return;
    this.patience = setTimeout(() => {
      this.start();
    }, this.bounds.patienceMs);
  }
}

function waitingFor<V>(): Waiting<V> {
  let resolve!: Waiting<V>['resolve'];
  let reject!: Waiting<V>['reject'];
  const answer = new Promise<V>((...both) => ([resolve, reject] = both));
  return { answer, resolve, reject };
}
