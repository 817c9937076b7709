/** Tasks that run one after another, in the order in which they were given. One that fails holds no other up. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** @returns what the task gives; who looks at its failure at once hears of it before the next task begins */
  take<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.last.then(task);
    this.last = turn.catch(() => undefined);
    return turn;
  }
}
