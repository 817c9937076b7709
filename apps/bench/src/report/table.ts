import type { RowResult, Variant } from '../model';
import { linesOf, type Line } from './lines';

const COLUMNS: readonly { readonly head: string; readonly variant: Variant }[] = [
  { head: 'bare', variant: 'bare' },
  { head: 'echo', variant: 'echo' },
  { head: 'ours, HTTP', variant: 'http' },
  { head: 'ours, 1', variant: 'ours-1' },
  { head: 'ours, 2', variant: 'ours-2' },
  { head: 'original', variant: 'original' },
];
const TITLE_WIDTH = 44;

/** The table for a terminal. Columns of variants that were not run are left out. */
export function table(results: readonly RowResult[]): string {
  const ran = columnsOf(results);
  const head = ['row', '', ...ran.map((column) => column.head), 'against the limit', 'against the original'];
  const rows = results.flatMap((result) => linesOf(result).map((line) => cellsOf(line, ran)));
  const widths = head.map((text, place) =>
    Math.max(text.length, ...rows.map((row) => (row[place] ?? '').length)),
  );
  const render = (cells: readonly string[]): string =>
    cells
      .map((cell, place) => {
        const width = widths[place] ?? 0;
        return place >= 2 && place < 2 + ran.length ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [render(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(render)].join('\n');
}

/** The same as Markdown. */
export function markdownTable(results: readonly RowResult[]): string {
  const ran = columnsOf(results);
  const head = ['row', '', ...ran.map((column) => column.head), 'against the limit', 'against the original'];
  const align = head.map((_, place) => (place >= 2 && place < 2 + ran.length ? '---:' : '---'));
  const rows = results.flatMap((result) => linesOf(result).map((line) => cellsOf(line, ran, Infinity)));
  return [head, align, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function columnsOf(results: readonly RowResult[]): typeof COLUMNS {
  return COLUMNS.filter(({ variant }) => results.some(({ variants }) => variants.includes(variant)));
}

function cellsOf(
  { title, figure, cells, againstLimit, againstOriginal }: Line,
  columns: typeof COLUMNS,
  width = TITLE_WIDTH,
): string[] {
  const short = title.length > width ? `${title.slice(0, width - 1)}…` : title;
  return [short, figure, ...columns.map(({ variant }) => cells[variant]), againstLimit, againstOriginal];
}
