const MARGIN = 1.5;

/** How many requests to prepare, so that they last for the timed region: learned from earlier runs. */
export class Pace {
  /** @param perSecond the first guess, of one device */
  constructor(private perSecond: number) {}

  requests(seconds: number): number {
    return Math.max(2, Math.ceil(this.perSecond * seconds * MARGIN));
  }

  learn(requests: number, seconds: number): void {
    if (requests > 0 && seconds > 0) this.perSecond = requests / seconds;
  }
}
