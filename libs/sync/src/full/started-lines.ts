/**
 * The chunks of a page, of which the first has been read already: whoever has one knows that the database answered,
 * while an error can still become a status. Can be gone over once.
 *
 * Its source has been started, so `return()` always reaches the source's `finally`, also before the first chunk was
 * taken. (A generator that was never started skips it, and would leave a cursor open.)
 */
export class StartedLines<T> implements AsyncIterableIterator<T, undefined> {
  private last: T | undefined;

  private constructor(
    private first: IteratorResult<T, undefined> | undefined,
    private readonly source: AsyncGenerator<T, undefined, undefined>,
  ) {}

  /** @throws what reading the first chunk throws */
  static async of<T>(source: AsyncGenerator<T, undefined, undefined>): Promise<StartedLines<T>> {
    return new StartedLines(await source.next(), source);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Gives one more chunk when all others have been given, and none after an error. */
  endingWith(chunk: T): this {
    this.last = chunk;
    return this;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const { first, last } = this;
    this.first = undefined;
    const result = first ?? (await this.source.next());
    if (result.done !== true || last === undefined) return result;
    this.last = undefined;
    return { done: false, value: last };
  }

  /** Gives everything up that the page holds open. To be called by whoever does not read to the end. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.first = undefined;
    this.last = undefined;
    return this.source.return(undefined);
  }
}
