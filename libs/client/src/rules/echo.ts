import type { Mutation } from './mutation.ts';

/** What was read of the log: everything above `since` and up to `next`. */
export interface Stretch {
  readonly since: string | undefined;
  readonly next: string;
  readonly versions: ReadonlySet<string>;
  /** `next` was the end of the log when it was asked for. */
  readonly isEnd: boolean;
  /** `seq` of those that had been answered before it was asked for. */
  readonly answeredBefore: ReadonlySet<number>;
}

/**
 * Whether the server has lost a mutation that it had taken, because its database was restored from a backup: the log goes past the
 * version that it gave, or ends before it, and does not have it. A cursor from before the backup is known there, so nothing
 * else would tell.
 *
 * @param isReadable whether the entries of a collection are among those that were read
 */
export function isLost(
  { state, answer, collection, seq }: Mutation,
  { since, next, versions, isEnd, answeredBefore }: Stretch,
  isReadable: (collection: string) => boolean,
): boolean {
  if (state !== 'answered' || !answer || !isReadable(collection)) return false;
  const { version } = answer;
  if (version <= (since ?? '') || versions.has(version)) return false;
  return version <= next || (isEnd && answeredBefore.has(seq));
}
