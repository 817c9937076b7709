import { isObject } from 'nest-offline-sync-protocol';
import type { EntryRecord } from '../log/records';

/**
 * Notices that somebody's access has changed go through the log's collection, under a scope that no identity can have
 * (ids have no NUL): the one change stream of each process brings them too, and nothing else ever reads there. They have
 * no head, so that trimming does not see them; who writes one removes those that everybody has seen.
 */
export const NOTICES = '\0access';

/** A process that has not seen a notice by then has lost its change stream, and asks about everybody. Milliseconds. */
const SEEN_AFTER_MS = 600_000;

/**
 * @param unique a text that no other notice has
 * @param number from 0 to 2^47, unlike that of any other notice
 */
export function noticeOf(actorId: string, at: Date, unique: string, number: number): EntryRecord {
  return {
    scope: NOTICES,
    seq: number,
    version: `${at.toISOString()} ${unique}`,
    collection: '',
    doc: '',
    operation: 'upsert',
    actor: actorId,
    at,
    wire: JSON.stringify({ actor: actorId }),
  };
}

/** Whose access a notice is about. */
export function actorOfNotice(wire: Buffer): string | undefined {
  const notice: unknown = JSON.parse(wire.toString());
  const actor = isObject(notice) ? notice['actor'] : undefined;
  return typeof actor === 'string' ? actor : undefined;
}

/** Finds those that everybody has seen. */
export function oldNotices(at: Date): { readonly scope: string; readonly version: { readonly $lt: string } } {
  return {
    scope: NOTICES,
    version: { $lt: new Date(at.getTime() - SEEN_AFTER_MS).toISOString() },
  };
}
