import type { Settlement } from './outcome.ts';

type Waiter = (settlement: Settlement | undefined) => void;

const KEPT = 1_000;

/** How mutations ended, the last ones, and who waits for the end of others. */
export class Settlements {
  private readonly waiting = new Map<string, Waiter[]>();
  private readonly known = new Map<string, Settlement>();

  get(mutation: string): Settlement | undefined {
    return this.known.get(mutation);
  }

  next(mutation: string): Promise<Settlement | undefined> {
    return new Promise((resolve) => {
      this.waiting.set(mutation, [...(this.waiting.get(mutation) ?? []), resolve]);
    });
  }

  get isAwaited(): boolean {
    return this.waiting.size > 0;
  }

  tell(mutation: string, settlement: Settlement): void {
    this.answer(mutation, settlement);
    this.known.set(mutation, settlement);
    const [oldest] = this.known.keys();
    if (this.known.size > KEPT && oldest !== undefined) this.known.delete(oldest);
  }

  /** For those that ended when nobody listened: asks how. */
  end(
    isOpen: (mutation: string) => boolean,
    how: (mutation: string) => Promise<Settlement | undefined>,
  ): void {
    for (const mutation of [...this.waiting.keys()])
      if (!isOpen(mutation))
        void how(mutation)
          .catch(() => undefined)
          .then((settlement) => this.answer(mutation, settlement));
  }

  private answer(mutation: string, settlement: Settlement | undefined): void {
    for (const resolve of this.waiting.get(mutation) ?? []) resolve(settlement);
    this.waiting.delete(mutation);
  }
}
