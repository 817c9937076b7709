/**
 * The tables of docs/options.md, from the table of the options: `npm run docs:options` writes them. The prose between
 * them is the page's own. docs.spec.ts fails while the page says anything else than the code.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SYNC_VARIABLES } from '../../../apps/demo/src/config/sync-variables';
import {
  COLLECTION_OPTION_TABLE,
  type OptionPath,
  type OptionRow,
  type OptionSection,
} from '../../../libs/sync/src/options/table';
import { optionRows } from '../../../libs/sync/src/options/value';

/** The heading over each table. The type makes sure that no section is forgotten. */
const HEADINGS: Readonly<Record<OptionSection, string>> = {
  start: 'Known before the app starts',
  identity: 'Identity',
  jwt: 'jwt',
  collections: 'Collections',
  requests: 'Push, pull, full',
  stream: 'Stream',
  clock: 'Clock',
  log: 'Log and retention',
  metrics: 'Metrics',
};

/** @param page the text of docs/options.md @returns the same text with the tables of the code */
export function withOptionTables(page: string): string {
  let text = page;
  for (const [section, heading] of Object.entries(HEADINGS)) {
    const rows = optionRows().filter(([, row]) => row.section === section);
    text = withTable(text, heading, [['Option', 'Default', '', 'Demo'], ...rows.map(cellsOf)]);
  }
  const rows = Object.entries(COLLECTION_OPTION_TABLE);
  return withTable(text, 'Options of a collection', [
    ['Option', 'Default', ''],
    ...rows.map(([name, { shown = '', about }]) => [code(name), shown, about]),
  ]);
}

function cellsOf([path, row]: [OptionPath, OptionRow]): string[] {
  const sentences = [`${row.about}${boundsOf(row)}`, ...(row.more === undefined ? [] : [row.more])];
  return [code(path), defaultOf(row), sentences.join('. '), variableOf(path)];
}

function defaultOf({ default: value, shown = '' }: OptionRow): string {
  if (value === undefined) return shown;
  return typeof value === 'string' ? code(value) : String(value);
}

/** A bound of 1 goes without saying. */
function boundsOf({ min = 0, max, atMost }: OptionRow): string {
  if (max !== undefined) return `, ${min} to ${max}`;
  if (atMost !== undefined) return `, at most ${code(atMost)}`;
  return min > 1 ? `, at least ${min}` : '';
}

function variableOf(path: OptionPath): string {
  const name =
    path === 'jwt.secret' ? 'JWT_SECRET' : SYNC_VARIABLES.find(({ option }) => option === path)?.name;
  return name === undefined ? '' : code(name);
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Replaces the first table under a heading. */
function withTable(page: string, heading: string, rows: readonly (readonly string[])[]): string {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  const first = lines.findIndex((line, index) => index > start && line.startsWith('|'));
  if (start < 0 || first < 0) throw new Error(`docs/options.md has no table under a heading "${heading}"`);
  const length = lines.slice(first).findIndex((line) => !line.startsWith('|'));
  lines.splice(first, length, ...tableLines(rows));
  return lines.join('\n');
}

/** As the formatter writes tables: columns of equal width. */
function tableLines([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  const escaped = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...escaped.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...escaped.map(line)];
}

if (require.main === module) {
  const path = join(__dirname, '../../../docs/options.md');
  writeFileSync(path, withOptionTables(readFileSync(path, 'utf8')));
}
