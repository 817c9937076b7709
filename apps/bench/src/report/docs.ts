import type { Report } from './json';
import { markdownTable } from './table';

export const BEGIN = '<!-- bench: begin (written by npm run bench -- --publish) -->';
export const END = '<!-- bench: end -->';

/** @throws Error when the page has no place for it */
export function insertIntoPage(page: string, block: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`The page has no ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${block}\n\n${page.slice(end)}`;
}

/** The table with what it was made with, and the plots. @param plots their folder, relative to the page */
export function docsBlock({ circumstances, rows }: Report, plots: string): string {
  const { date, node, mongod, cores, rounds, seconds, seed, quick } = circumstances;
  const image = (name: string, text: string): string => `![${text}](${plots}/${name}.svg)`;
  return [
    `Measured on ${date.slice(0, 10)}: Node ${node.slice(1)}, mongod ${mongod}, ${String(cores)} cores, ` +
      `${String(rounds)} rounds of ${String(seconds)} s, seed ${String(seed)}` +
      `${quick ? '. A quick run: the figures say little' : ''}.`,
    markdownTable(rows),
    image('throughput-limit', 'Rates as ratios to the limits, with spread and target.'),
    image('throughput-original', 'Rates as ratios to the original, with spread and target.'),
    image('latency', 'p50 and p99 of the rows about latency, by variant.'),
    image('growth', 'p50 of a push and of a pull page in small and large databases.'),
  ].join('\n\n');
}
