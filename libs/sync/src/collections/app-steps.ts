/** The steps of a collection's preparation that are the app's own code, and which of them is slow. */
export class AppSteps {
  private readonly running = new Map<object, string>();
  private readonly lastMs = new Map<string, number>();

  /** The same step, watched. */
  watched<A extends readonly unknown[], R>(
    step: string,
    run: (...args: A) => R | Promise<R>,
  ): (...args: A) => Promise<R> {
    return async (...args) => {
      const call = {};
      const started = performance.now();
      this.running.set(call, step);
      try {
        return await run(...args);
      } finally {
        this.running.delete(call);
        this.lastMs.set(step, performance.now() - started);
      }
    };
  }

  /** The step that is waited for the longest; else the one that took the most time when it last ran. */
  get slowest(): string | undefined {
    const [waitedFor] = this.running.values();
    if (waitedFor !== undefined) return waitedFor;
    return [...this.lastMs].sort(([, a], [, b]) => b - a)[0]?.[0];
  }
}
