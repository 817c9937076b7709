import type { PushRequest, PushResult } from 'nest-offline-sync-protocol';

/** A change of a push that was refused, as an operator sees it. */
export interface RefusedChange {
  readonly collection: string | null;
  readonly docId: string | number | null;
  readonly operation: string | null;
  readonly mutation: string | null;
  readonly code: string;
  readonly error: string | null;
  /** The change as it was sent, as JSON; missing: it is not kept. */
  readonly body?: string;
}

/** Of one push: one that goes wrong as a whole must not drive out what else was refused. */
const OF_ONE_PUSH = 20;
/** Longest text of an error that is kept. */
const LONGEST_ERROR = 500;

/**
 * What of a push is worth an operator's look: changes with a reason of their own. One that only fell with another is left
 * out, and so is one that was answered before.
 *
 * @param changes the changes as they were sent
 * @param bodyBytes the longest body that is kept, as characters of JSON; 0: none is
 */
export function refusedOf(
  parsed: Pick<PushRequest, 'changes'>,
  changes: readonly unknown[],
  results: readonly PushResult[],
  bodyBytes: number,
): RefusedChange[] {
  const refused: RefusedChange[] = [];
  for (const [index, result] of results.entries()) {
    const { status, code, replayed, doc_id: docId, mutation_id: mutation = null, error } = result;
    if (status !== 'rejected' || code === null || replayed || code === 'batch_rolled_back') continue;
    if (refused.length === OF_ONE_PUSH) break;
    const entry = parsed.changes[index];
    const collection = (entry?.ok ? entry.change.collection : entry?.collection) ?? null;
    const operation = entry?.ok ? entry.change.operation : null;
    const body = bodyBytes > 0 && entry?.ok ? shortJson(changes[index], bodyBytes) : undefined;
    refused.push({
      ...{ collection, docId, operation, mutation, code },
      error: error === null ? null : error.slice(0, LONGEST_ERROR),
      ...(body === undefined ? {} : { body }),
    });
  }
  return refused;
}

/**
 * A value as JSON; undefined when that is longer. It gives up on the way: a push waits for it, and may hold megabytes that nobody
 * will keep.
 */
export function shortJson(value: unknown, limit: number): string | undefined {
  let left = limit;
  try {
    const text = JSON.stringify(value, function (this: unknown, key, part: unknown) {
      // No more than the text will have: places in a list and what is undefined do not stand in it.
      if (part !== undefined) left -= typeof part === 'string' ? part.length : 1;
      if (part !== undefined && !Array.isArray(this)) left -= key.length;
      if (left < 0) throw new RangeError('too long');
      return part;
    });
    return text.length <= limit ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The newest ones, until they are written. */
export class Newest<T> {
  private kept: T[] = [];

  /** @param limit older ones than so many are left out */
  constructor(private readonly limit: number) {}

  add(some: readonly T[]): void {
    this.kept.push(...some);
    if (this.kept.length > this.limit) this.kept = this.kept.slice(-this.limit);
  }

  take(): readonly T[] {
    const { kept } = this;
    this.kept = [];
    return kept;
  }
}
