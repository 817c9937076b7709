import type { Environment } from './environment.ts';
import type { Database, StorageEstimate } from './storage.ts';

/** How much room there is for a database: as of the last time that something may have changed that. */
export class Room {
  estimate: StorageEstimate = { persisted: false };
  private hasAskedToPersist = false;
  private wasFull = false;
  /** When a write that worked was last taken for a sign of room. */
  private signAt = -Infinity;

  constructor(
    private readonly database: Database,
    private readonly environment: Environment,
    private readonly changed: () => void,
  ) {}

  /** Asked once, when there is something to lose: browsers decide by what the user does. */
  async persist(): Promise<void> {
    if (this.hasAskedToPersist) return;
    this.hasAskedToPersist = true;
    await this.database.persist().catch(() => false);
    await this.measure();
  }

  async measure(): Promise<void> {
    const estimate = await this.database.estimate().catch(() => undefined);
    if (!estimate) return;
    this.estimate = estimate;
    this.changed();
  }

  full(isFull: boolean): void {
    if (isFull && !this.wasFull) void this.measure();
    this.wasFull = isFull;
  }

  /** Whether a write that worked is a reason to try again. Not often: what is read next may be larger than what was written. */
  isSign(): boolean {
    if (this.environment.now() - this.signAt < SIGN_AGAIN_MS) return false;
    this.signAt = this.environment.now();
    return true;
  }
}

const SIGN_AGAIN_MS = 5_000;
