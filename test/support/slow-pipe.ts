/** What is true of every connection through a proxy just now. */
export interface Weather {
  /** Nothing passes. */
  holding: boolean;
  /** How late everything is, milliseconds. */
  delayMs: number;
}

/** One direction of a connection: what is sent comes out late, or after a pause, and always in its order. */
export class SlowPipe {
  private readonly waiting: { readonly at: number; readonly pass: () => void }[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly weather: Readonly<Weather>) {}

  send(pass: () => void): void {
    const last = this.waiting.at(-1)?.at ?? 0;
    this.waiting.push({ at: Math.max(last, performance.now() + this.weather.delayMs), pass });
    this.flow();
  }

  /** Sends what is due; called when the connection gets better. */
  flow(): void {
    clearTimeout(this.timer);
    for (;;) {
      const [first] = this.waiting;
      if (!first || this.weather.holding) return;
      const wait = first.at - performance.now();
      if (wait > 0) {
        this.timer = setTimeout(() => this.flow(), wait);
        return;
      }
      this.waiting.shift();
      first.pass();
    }
  }

  close(): void {
    clearTimeout(this.timer);
    this.waiting.length = 0;
  }
}
