import type { CliOutput } from './output';

const WIDTH = 24;
/** Between two lines where there is no terminal. Milliseconds. */
const LINE_EVERY_MS = 5000;

/** How far a job over documents is: one line that is written again and again on a terminal, a line now and then elsewhere. */
export class ProgressLine {
  private drawn = false;
  private readonly startedAt = performance.now();
  private lastLineAt = performance.now();

  constructor(private readonly output: Pick<CliOutput, 'err' | 'columns'>) {}

  /** @param total undefined: not known */
  show(done: number, total: number | undefined, what: string): void {
    const now = performance.now();
    const rate = Math.round((done * 1000) / Math.max(1, now - this.startedAt));
    const share = total === undefined ? undefined : Math.min(1, done / Math.max(1, total));
    const of = total === undefined ? '' : ` of ${total}`;
    const text = `${done}${of} ${what}, ${rate} a second`;
    const { columns, err } = this.output;
    if (columns !== undefined) {
      this.drawn = true;
      const full = Math.round((share ?? 0) * WIDTH);
      const bar = share === undefined ? '' : `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] `;
      err(`\r\u001b[2K${`${bar}${text}`.slice(0, columns - 1)}`);
    } else if (now - this.lastLineAt >= LINE_EVERY_MS) {
      this.lastLineAt = now;
      err(`${text}\n`);
    }
  }

  /** Takes the line away. */
  end(): void {
    if (this.drawn) this.output.err('\r\u001b[2K');
    this.drawn = false;
  }
}
