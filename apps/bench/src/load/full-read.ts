import { gunzipSync } from 'node:zlib';
import type { FullEnd, FullLine } from 'nest-offline-sync-protocol';
import type { FilledLog } from '../workload/filled-log';
import type { Connection, Exchange, Prepared } from './connection';

/** A whole full resync: one answer, or the pages that follow each other. */
export interface FullRead {
  readonly answers: readonly Exchange[];
  readonly seconds: number;
  readonly firstByteMs: number;
}

/** Most pages that are followed: a cursor that leads nowhere must not hold the benchmark. */
const MOST_PAGES = 10_000;

export function fullRequest(authorization: string, gzip: boolean, limit: number, cursor?: string): Prepared {
  const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  return {
    method: 'GET',
    path: `/sync/full?collections=notes&limit=${String(limit)}${next}`,
    headers: { authorization, 'accept-encoding': gzip ? 'gzip' : 'identity' },
  };
}

/** Reads on from page to page as long as the answers name a cursor. */
export async function readFull(
  connection: Connection,
  request: (cursor?: string) => Prepared,
): Promise<FullRead> {
  const answers: Exchange[] = [];
  const started = performance.now();
  let cursor: string | undefined;
  do {
    const answer = await connection.send(request(cursor));
    answers.push(answer);
    const next = answer.headers['x-sync-cursor'];
    cursor = answer.status === 200 && typeof next === 'string' ? next : undefined;
  } while (cursor !== undefined && answers.length < MOST_PAGES);
  return {
    answers,
    seconds: (performance.now() - started) / 1000,
    firstByteMs: answers[0]?.firstByteMs ?? NaN,
  };
}

/**
 * @param ends whether each page ends with an end line; the original and the bare driver write none
 * @returns the number of rows, when they are exactly the log's documents in the order of their ids
 * @throws Error otherwise
 */
export function checkFull({ answers }: Pick<FullRead, 'answers'>, log: FilledLog, ends = true): number {
  const ids = log.sortedIds();
  let rows = 0;
  for (const { status, headers, body } of answers) {
    if (status !== 200) throw new Error(`A full resync was answered with ${String(status)}`);
    const bytes = Buffer.concat(body);
    const text = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
    let whole = false;
    for (const line of linesOf(text)) {
      const row = JSON.parse(line) as FullLine | FullEnd;
      whole = 'end' in row;
      if ('end' in row) continue;
      const { doc_id, data } = row;
      if (doc_id !== ids[rows] || typeof data?.['note'] !== 'string')
        throw new Error(`Row ${String(rows)} of a full resync is ${String(doc_id)}`);
      rows += 1;
    }
    if (ends !== whole)
      throw new Error(`A page of a full resync ${ends ? 'has no end line' : 'has an end line'}`);
  }
  if (rows !== ids.length)
    throw new Error(`A full resync has ${String(rows)} rows instead of ${String(ids.length)}`);
  return rows;
}

/** Without ever making one text of it all. */
function* linesOf(bytes: Buffer): Generator<string, undefined, undefined> {
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(10, start);
    if (end < 0) return;
    yield bytes.toString('utf8', start, end);
    start = end + 1;
  }
}
