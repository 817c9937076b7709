/** Notices a server that was frozen or cut off: it says nothing and closes nothing. */
export class Silence {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly limitMs: number,
    private readonly tooLong: () => void,
  ) {}

  /** Something came: the time begins again. */
  heard(): void {
    if (this.timer) {
      this.timer.refresh();
      return;
    }
    this.timer = setTimeout(this.tooLong, this.limitMs);
    this.timer.unref();
  }

  /** Silence means nothing until something is heard again. */
  end(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
