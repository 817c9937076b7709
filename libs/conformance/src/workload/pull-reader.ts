import type { Device } from '../wire/device';
import type { Party } from './party';
import { pause } from './pause';
import { Random } from './random';
import type { Reader } from './reader';

export interface PullHabit {
  /** Null: all. */
  readonly collections: readonly string[] | null;
  /** Largest limit it asks for. */
  readonly limit: number;
  /** Longest sleep between two rounds, in milliseconds. */
  readonly sleepMs: number;
  /** Starts, and now and then starts over, with a full resync. */
  readonly full: boolean;
}

/** A device that pulls: a round is page after page until there is no more. */
export class PullReader implements Reader {
  private readonly device: Device;
  private readonly random: Random;
  private cursor: string | null = null;
  /** The same as an integer, as far as it is known. */
  private seq: number | null = null;
  private needsFull: boolean;

  constructor(
    readonly name: string,
    private readonly party: Party,
    private readonly habit: PullHabit,
  ) {
    this.device = party.device();
    this.random = new Random(party.settings.seed, name);
    this.needsFull = habit.full;
  }

  async follow(end: AbortSignal, over: AbortSignal): Promise<void> {
    const { random, habit } = this;
    while (!over.aborted) {
      await this.round(over);
      if (end.aborted) await pause(20, over);
      else await pause(random.next() * habit.sleepMs, end);
      if (habit.full && !end.aborted && random.chance(0.1)) this.needsFull = true;
    }
  }

  reached(): boolean {
    const target = this.party.target(this.habit.collections);
    return target === null || (!this.needsFull && this.cursor !== null && this.cursor >= target);
  }

  private async round(over: AbortSignal): Promise<void> {
    for (;;) {
      if (over.aborted) return;
      if (this.needsFull && !(await this.full())) return;
      const limit = this.random.between(1, this.habit.limit);
      const { since, collections } = { since: this.cursor, collections: this.habit.collections };
      const bySeq = this.seq !== null && this.party.features.has('since_seq') && this.random.chance(0.5);
      const { page } = await this.party.pull(this.device, this.name, {
        ...{ since, collections, limit },
        ...(bySeq ? { sinceSeq: this.seq ?? 0 } : {}),
      });
      if (page === null) return;
      if ('resync' in page) this.needsFull = true;
      else {
        this.cursor = page.lastSeq;
        this.seq = page.seq < 0 ? null : page.seq;
        if (!page.hasMore) return;
      }
    }
  }

  /** @returns whether it worked; else it is tried again in the next round */
  private async full(): Promise<boolean> {
    const limit = this.random.chance(0.5) ? 0 : this.random.between(50, 1000);
    const { rows, lastSeq, seq } = await this.party.full(this.device, this.name, limit);
    if (rows === null || lastSeq === null) return false;
    this.cursor = lastSeq;
    this.seq = seq ?? null;
    if (this.party.features.has('digest')) await this.party.digest(this.device, this.name);
    this.needsFull = false;
    return true;
  }
}
