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

/** Scopes are made of what tokens said: control characters must not reach a terminal. */
function printable(cell: string | number | undefined): string {
  // eslint-disable-next-line no-control-regex -- the control characters are what is looked for
  return String(cell ?? '').replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
