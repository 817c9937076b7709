import type { Phase, Progress } from 'nest-offline-sync-conformance';

/** Where a command writes. Text as it is: line ends are the writer's. */
export interface CliOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Width of the terminal that `err` writes to; missing when it is none. */
  readonly columns?: number;
  /** Whether `out` may be coloured; default: no. */
  readonly colour?: boolean;
}

/** Rows under headings, columns as wide as their widest cell. Numbers stand to the right. */
export function table(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => printable(row[column]).length)),
  );
  const line = (cells: readonly (string | number | undefined)[]): string =>
    widths
      .map((width, column) => {
        const cell = cells[column];
        return typeof cell === 'number' ? printable(cell).padStart(width) : printable(cell).padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [line(headings), ...rows.map(line)].map((text) => `${text}\n`).join('');
}

/** Scopes and ids are made of what clients and tokens said: control characters must not reach a terminal. */
export function printable(cell: string | number | undefined): string {
  // eslint-disable-next-line no-control-regex -- the control characters are what is looked for
  return String(cell ?? '').replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

const WIDTH = 24;
/** Between two lines where there is no terminal, in milliseconds. */
const LINE_EVERY_MS = 5000;

const WORDS: Record<Phase, string> = {
  starting: 'looking at the server',
  writing: 'writing and reading',
  settling: 'waiting for the readers',
  reading: 'reading everything again',
  done: 'judging',
};

/** How far a run is: one line that is written again and again on a terminal, a line now and then elsewhere. */
export class ProgressBar {
  private drawn = false;
  private lastPhase: Phase | undefined;
  private lastLineAt = 0;

  constructor(
    private readonly output: CliOutput,
    private readonly seconds: number,
  ) {}

  show(progress: Progress): void {
    const { columns, err } = this.output;
    if (columns !== undefined) {
      this.drawn = true;
      err(`\r\u001b[2K${barText(progress, this.seconds).slice(0, columns - 1)}`);
      return;
    }
    const isNew = progress.phase !== this.lastPhase;
    if (!isNew && progress.elapsedMs - this.lastLineAt < LINE_EVERY_MS) return;
    this.lastPhase = progress.phase;
    this.lastLineAt = progress.elapsedMs;
    err(`${lineText(progress)}\n`);
  }

  say(text: string): void {
    this.end();
    this.output.err(`${text}\n`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.drawn) this.output.err('\r\u001b[2K');
    this.drawn = false;
  }
}

export function barText(progress: Progress, seconds: number): string {
  const share = progress.phase === 'writing' ? Math.min(1, progress.elapsedMs / (seconds * 1000)) : 1;
  const full = progress.phase === 'starting' ? 0 : Math.round(share * WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${lineText(progress)}`;
}

function lineText({ phase, changes, seen, subscriptions, unanswered, elapsedMs }: Progress): string {
  const facts = [
    `${Math.round(elapsedMs / 1000)} s`,
    `${changes} changes`,
    `${seen} entries seen`,
    `${subscriptions} subscriptions`,
    ...(unanswered > 0 ? [`${unanswered} unanswered`] : []),
  ];
  return phase === 'starting' ? WORDS[phase] : `${WORDS[phase]}: ${facts.join(', ')}`;
}
