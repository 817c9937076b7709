import { within } from '../database/waiting';

/** How many changes of one push the app's code works on at the same time. */
const AT_ONCE = 16;

/**
 * What one push may still take of the time for the app's own code: authorizers, transforms, DTOs, validators and
 * conflict resolvers. The wait for the database does not count.
 */
export class AppTime {
  /** Milliseconds. */
  private left: number;

  constructor(readonly limitMs: number) {
    this.left = limitMs;
  }

  /**
   * Works on each item, begun in their order, some at the same time. An item that waits for nothing is done
   * at once. When the time is over, nothing more is begun, and nothing is waited for.
   *
   * @returns the results by their items' indexes; undefined for what was not done in time
   * @throws what the work throws
   */
  async each<T, R>(
    items: readonly T[],
    work: (item: T, index: number) => R | Promise<R>,
  ): Promise<(R | undefined)[]> {
    const results = new Array<R | undefined>(items.length).fill(undefined);
    const started = performance.now();
    let next = 0;
    let isOver = false;
    const worker = async (): Promise<void> => {
      while (next < items.length && !isOver) {
        const index = next++;
        const made = work(items[index] as T, index);
        const result = made instanceof Promise ? await made : made;
        // Code that never waits lets no timer fire.
        isOver ||= performance.now() - started > this.left;
        if (!isOver || !(made instanceof Promise)) results[index] = result;
      }
    };
    try {
      const first = worker();
      const others = Array.from({ length: next < items.length ? AT_ONCE - 1 : 0 }, worker);
      const done = Promise.all([first, ...others]);
      await within(
        this.left - (performance.now() - started),
        () => done,
        () => undefined,
      );
    } finally {
      isOver = true;
      this.left = Math.max(0, this.left - (performance.now() - started));
    }
    return results;
  }
}
