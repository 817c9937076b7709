import { StorageLostError } from '../errors.ts';
import type { ClientStorage, Database } from '../storage.ts';

/**
 * A storage whose process dies at a chosen moment: at the k-th operation, before or after that has taken effect. An operation is
 * an opening, a transaction or a removal; what is inside of a transaction takes effect as a whole or not at all. What was
 * committed stays in the storage inside, and the client of the dead process gets nothing more out of it:
 *
 *     const disk = memory();
 *     const storage = new CrashingStorage(disk);
 *     storage.crashAt(3, 'after');  // and the app goes on until that
 *     // The app starts again: another client on `new CrashingStorage(disk)`.
 */
export class CrashingStorage implements ClientStorage {
  readonly kind = 'crashing';
  /** Operations so far. */
  operations = 0;
  private isDead = false;
  private crashing: { readonly at: number; readonly when: 'before' | 'after' } | undefined;

  constructor(
    private readonly inside: ClientStorage,
    /** Called when it crashes. */
    private readonly crashed: () => void = () => undefined,
  ) {}

  /**
   * @param operation counted from now on: 1 is the next one
   * @param when `after`: it takes effect, and nobody is told
   */
  crashAt(operation: number, when: 'before' | 'after'): void {
    this.crashing = { at: this.operations + operation, when };
  }

  /** The process ends now. */
  kill(): void {
    this.isDead = true;
  }

  get hasCrashed(): boolean {
    return this.isDead;
  }

  async open(name: string): Promise<Database> {
    const inside = await this.operation(() => this.inside.open(name));
    return {
      name,
      transaction: (mode, stores, body) =>
        this.operation(() =>
          inside.transaction(mode, stores, async (all) => {
            const value = await body(all);
            // A process that has died meanwhile does not commit.
            this.expectAlive();
            return value;
          }),
        ),
      estimate: () => inside.estimate(),
      persist: () => inside.persist(),
      onLost: (listener) => inside.onLost(listener),
      close: () => inside.close(),
    };
  }

  remove(name: string): Promise<void> {
    return this.operation(() => this.inside.remove(name));
  }

  list(): Promise<readonly string[]> {
    return this.inside.list();
  }

  private async operation<T>(run: () => Promise<T>): Promise<T> {
    this.expectAlive();
    this.operations += 1;
    const when = this.crashing?.at === this.operations ? this.crashing.when : undefined;
    if (when === 'before') throw this.crash();
    const result = await run();
    if (when === 'after') throw this.crash();
    this.expectAlive();
    return result;
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
