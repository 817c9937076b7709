import { setTimeout as delay } from 'node:timers/promises';
import { termOf, type ReplicaTrio } from '../../support/replica-trio';

/** A member became the primary of a later term than any before. Milliseconds since the run began. */
export interface Election {
  readonly at: number;
  readonly member: number;
  readonly term: number;
}

const LOOK_EVERY_MS = 50;

/** Asks each member separately, past the proxies, so that a frozen one does not block the others. */
export class PrimaryWatch {
  readonly elections: Election[] = [];
  private readonly stopped = new AbortController();
  private readonly looking: Promise<unknown>;
  private term = -1;

  constructor(
    private readonly trio: ReplicaTrio,
    private readonly now: () => number,
  ) {
    this.looking = Promise.all(trio.members.map((_, index) => this.look(index)));
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.looking;
  }

  private async look(index: number): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const hello = await this.trio.members[index]?.hello();
      const term = hello?.['isWritablePrimary'] === true ? termOf(hello) : -1;
      if (term > this.term) {
        // The first one was there before the run.
        if (this.term >= 0) this.elections.push({ at: this.now(), member: index, term });
        this.term = term;
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
