import type { Environment } from './environment.ts';

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
      const ms = until - environment.now();
      // A clock that was set back must not make a sleep of hours.
      const cancel =
        until === Infinity ? undefined : environment.timer(Math.min(Math.max(0, ms), 600_000), resolve);
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
