import type { mongo } from 'mongoose';
import { isDuplicateKey } from '../database/errors';
import { within } from '../database/waiting';

/** Of each command: one that hangs costs a turn, not all that come after. Milliseconds. */
const LIMIT_MS = 30_000;

export interface LeaseRecord {
  /** What the lease is for. */
  readonly _id: string;
  /** Who has it; missing after a release. */
  readonly owner?: string;
  /** Rises each time that the lease changes hands: a holder with a lower one has lost it. */
  readonly token: number;
  readonly expiresAt: Date;
}

/**
 * A lease on a name, so that one process of a cluster does a job. Expiry is judged by the server's clock alone. A
 * holder that was frozen past its expiry does not know that it lost the lease: what it guards must stay harmless when
 * done twice, or be fenced by the token.
 */
export class Lease {
  private renewedAt = -Infinity;

  /**
   * @param owner unlike any other process's
   * @param ttlMs how long a holder that died keeps others waiting, milliseconds
   */
  constructor(
    private readonly leases: mongo.Collection<LeaseRecord>,
    private readonly name: string,
    private readonly owner: string,
    private readonly ttlMs: number,
  ) {}

  /**
   * Takes the lease when it is free, or prolongs it when it is ours.
   *
   * @returns the fencing token, or undefined while another owner has it
   */
  async acquire(): Promise<number | undefined> {
    const owner = { $literal: this.owner };
    const ours = { $eq: ['$owner', owner] };
    // Missing dates come before all others: a record that was never written counts as expired.
    const free = { $lte: ['$expiresAt', '$$NOW'] };
    const next = { $add: [{ $ifNull: ['$token', 0] }, 1] };
    const whenOurs = (value: unknown, field: string) => ({ $cond: [{ $or: [ours, free] }, value, field] });
    try {
      const record = await within(LIMIT_MS, () =>
        this.leases.findOneAndUpdate(
          { _id: this.name },
          [
            {
              $set: {
                token: whenOurs({ $cond: [ours, '$token', next] }, '$token'),
                owner: whenOurs(owner, '$owner'),
                expiresAt: whenOurs({ $add: ['$$NOW', { $literal: this.ttlMs }] }, '$expiresAt'),
              },
            },
          ],
          { upsert: true, returnDocument: 'after' },
        ),
      );
      if (record?.owner !== this.owner) return undefined;
      this.renewedAt = performance.now();
      return record.token;
    } catch (error) {
      // Two processes made the first record at once, and the other one was first.
      if (isDuplicateKey(error)) return undefined;
      throw error;
    }
  }

  /** Between two steps of a long job: prolongs the lease when a third of its time has gone. False when it is lost. */
  async keep(): Promise<boolean> {
    if (performance.now() - this.renewedAt < this.ttlMs / 3) return true;
    return (await this.acquire()) !== undefined;
  }

  /** Gives the lease back, if it is still ours, so that the next process need not wait for its expiry. */
  async release(): Promise<void> {
    if (this.renewedAt === -Infinity) return;
    await within(LIMIT_MS, () =>
      this.leases.updateOne({ _id: this.name, owner: this.owner }, [
        { $set: { expiresAt: '$$NOW' } },
        { $unset: 'owner' },
      ]),
    );
    this.renewedAt = -Infinity;
  }
}
