import type { PullPageResponse } from 'nest-offline-sync-protocol';
import { textOf, type Exchange, type Prepared } from './connection';
import type { FilledLog } from '../workload/filled-log';

/** A page of a log that is known: what is asked, and what must come. */
export interface Page {
  /** Asked: above this place. */
  readonly after: number;
  readonly rows: number;
}

/** A walk over a whole log. @param from the original refuses a cursor below its first entry: 1 there, else 0 */
export function walkPages(count: number, size: number, from = 0): Page[] {
  const pages: Page[] = [];
  for (let after = from; after < count; after += size)
    pages.push({ after, rows: Math.min(size, count - after) });
  return pages;
}

export function pullRequest(log: FilledLog, page: Page, limit: number, authorization: string): Prepared {
  const since = page.after === 0 ? '' : `&since=${log.version(page.after)}`;
  return {
    method: 'GET',
    path: `/sync/pull?collections=notes&limit=${String(limit)}${since}`,
    headers: { authorization },
  };
}

/**
 * @returns the rows of a page that is what it must be: complete, in order, with the right cursor
 * @throws Error for any other page
 */
export function checkPage(log: FilledLog, page: Page, exchange: Exchange): number {
  if (exchange.status !== 200) throw new Error(`A pull was answered with ${String(exchange.status)}`);
  const { changes, last_seq } = JSON.parse(textOf(exchange)) as PullPageResponse;
  if (changes.length !== page.rows)
    throw new Error(
      `A page has ${String(changes.length)} rows instead of ${String(page.rows)} above ${String(page.after)}`,
    );
  for (const [index, { version }] of changes.entries())
    if (version !== log.version(page.after + index + 1))
      throw new Error(`${version} is not the ${String(index + 1)}th above ${String(page.after)}`);
  if (last_seq !== log.version(page.after + page.rows)) throw new Error(`${last_seq} is not the page's last`);
  return changes.length;
}
