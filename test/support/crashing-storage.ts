import { StorageLostError, type ClientStorage, type Database } from 'nest-offline-sync-client';

/**
 * A storage whose process can be killed: at any moment, or at its k-th transaction, before or after that has taken effect. What was
 * committed stays in the storage inside; a client of a killed process gets nothing more out of it.
 */
export class CrashingStorage implements ClientStorage {
  readonly kind = 'crashing';
  private isDead = false;
  private left = Infinity;
  private takesEffect = false;
  /** Transactions so far: to choose where to crash the next time. */
  count = 0;

  constructor(
    private readonly inside: ClientStorage,
    private readonly crashed: () => void = () => undefined,
  ) {}

  /** @param takesEffect the transaction is committed, and nobody is told */
  crashAt(transaction: number, takesEffect: boolean): void {
    this.left = transaction;
    this.takesEffect = takesEffect;
  }

  kill(): void {
    this.isDead = true;
  }

  async open(name: string): Promise<Database> {
    this.expectAlive();
    const inside = await this.inside.open(name);
    return {
      name,
      transaction: async (mode, stores, body) => {
        this.expectAlive();
        this.count += 1;
        this.left -= 1;
        const isLast = this.left === 0;
        if (isLast && !this.takesEffect) throw this.crash();
        const result = await inside.transaction(mode, stores, async (all) => {
          const value = await body(all);
          // A process that has died meanwhile does not commit.
          this.expectAlive();
          return value;
        });
        if (isLast) throw this.crash();
        if (this.isDead) throw DEAD;
        return result;
      },
      estimate: () => inside.estimate(),
      persist: () => inside.persist(),
      onLost: (listener) => inside.onLost(listener),
      close: () => inside.close(),
    };
  }

  remove(name: string): Promise<void> {
    this.expectAlive();
    return this.inside.remove(name);
  }

  list(): Promise<readonly string[]> {
    return this.inside.list();
  }

  private crash(): StorageLostError {
    // One that was killed meanwhile is none of the process that runs now.
    if (!this.isDead) this.crashed();
    this.isDead = true;
    return DEAD;
  }

  private expectAlive(): void {
    if (this.isDead) throw DEAD;
  }
}

const DEAD = new StorageLostError('the process has ended');
