import { GROUP_CHANGES } from './scope-queue';

/** At least so many, whatever conflicts: a conflict is then met by taking the documents first. */
const LEAST = 50;
/** By how much it grows with each transaction that it has held back. */
const STEP = 10;

/**
 * How many observed documents one transaction may hold. The app writes them past the engine: the longer a transaction takes,
 * and the more of them it holds, the likelier it is that one of them is written meanwhile and all are done again. Additive
 * increase, multiplicative decrease (Chiu and Jain, 1989). Plain bookkeeping, from 50 to as many as any transaction may hold.
 */
export class ObservedBound {
  private bound = GROUP_CHANGES;

  get most(): number {
    return this.bound;
  }

  /** A transaction with so many of them was written to from outside. */
  conflicted(observed: number): void {
    if (observed > 0) this.bound = Math.max(LEAST, Math.min(this.bound, observed) >> 1);
  }

  /** One went through at once. One that was far from the bound says nothing of it. */
  succeeded(observed: number): void {
    if (observed > this.bound / 2) this.bound = Math.min(GROUP_CHANGES, this.bound + STEP);
  }
}
