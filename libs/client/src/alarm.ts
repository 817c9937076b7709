import type { Environment } from './environment.ts';

/** Timers of more than 24 days end at once, and those of a device that slept late: none is longer than this. */
const MOST_MS = 600_000;

/** A sleep that can be cut short. A ring that finds nobody asleep is kept for the next sleep. */
export class Alarm {
  private wake: (() => void) | undefined;
  private hasRung = false;

  constructor(private readonly environment: Pick<Environment, 'now' | 'timer'>) {}

  /** @param until of the device's clock, milliseconds; Infinity: until it rings */
  async sleep(until: number): Promise<void> {
    if (this.hasRung) {
      this.hasRung = false;
      return;
    }
    const { environment } = this;
    await new Promise<void>((resolve) => {
      let cancel: (() => void) | undefined;
      // Counted down: a clock that is set back makes no sleep longer. A clock that is ahead, after the device slept too, ends it.
      let left = until - environment.now();
      const wait = (): void => {
        const ms = Math.min(MOST_MS, Math.max(0, left));
        left -= ms;
        cancel = environment.timer(ms, () => (left > 0 && environment.now() < until ? wait() : resolve()));
      };
      if (until !== Infinity) wait();
      this.wake = () => {
        cancel?.();
        resolve();
      };
    });
    this.wake = undefined;
    this.hasRung = false;
  }

  ring(): void {
    this.hasRung = true;
    this.wake?.();
  }
}
