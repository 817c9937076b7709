import { isDeepStrictEqual } from 'node:util';
import { parseHlc, type JsonObject, type LogOperation } from 'nest-offline-sync-protocol';
import type { StoredId } from '../codec/stored-document';
import type { Observed } from '../plan/observed';

/** Why a document and the log tell different things. */
export type DifferenceKind =
  /** It holds something else than its newest entry, or than what was recorded of it last. */
  | 'other content'
  /** It has another version than its newest entry. */
  | 'other version'
  /** Its version is none. */
  | 'bad version'
  /** `_sync_hash` stands for another content, and the log has the document as it is. */
  | 'wrong hash'
  /** No entry tells of its version, which is above the floor. */
  | 'no entry'
  /** The log tells of its delete, and it is not deleted. */
  | 'not deleted'
  /** It is deleted, and the log does not tell of it. */
  | 'deleted'
  /** An entry tells of it, and it is not there. */
  | 'no document'
  /** The log tells of its delete, and there is no tombstone. */
  | 'no tombstone'
  /** The log has it in this scope, and it is in another one. */
  | 'other scope'
  /** The log has it in this scope, or its scope field names it, and it is in none. */
  | 'no scope';

/** A document in its scope, as far as it is compared. */
export interface DocumentHere {
  readonly at: 'here';
  /** Undefined: the field holds no text. */
  readonly version: string | undefined;
  readonly deleted: boolean;
  /** Whether `_sync_hash` stands for the content. */
  readonly hash: 'none' | 'right' | 'wrong';
  /** What clients see of it; null: deleted. */
  readonly data: JsonObject | null;
}

/** A document that the scope's log names and that is not in the scope. */
export interface DocumentElsewhere {
  readonly at: 'elsewhere';
  /** Undefined: in no scope, or in several. */
  readonly scope: string | undefined;
  readonly version: string | undefined;
}

/** The newest entry of a document above the floor. */
export interface NewestEntry {
  readonly version: string;
  readonly operation: LogOperation;
  readonly data: JsonObject | null;
}

/**
 * Whether a document and its newest entry say the same. Above the floor each document has its entry; below it there are
 * documents alone, and their hash where they have one.
 *
 * @param document undefined: there is none
 * @param entry undefined: there is none above the floor
 */
export function differenceOf(
  document: DocumentHere | DocumentElsewhere | undefined,
  entry: NewestEntry | undefined,
  floor: string,
): DifferenceKind | undefined {
  if (document?.at !== 'here') return entry && lost(document, entry);
  const { version, deleted, hash } = document;
  if (version === undefined || parseHlc(version) === undefined) return 'bad version';
  if (entry) {
    if (entry.version !== version) return 'other version';
    if (deleted !== (entry.operation === 'delete')) return deleted ? 'deleted' : 'not deleted';
    if (!deleted && !isSameData(document.data, entry.data)) return 'other content';
    return hash === 'wrong' ? 'wrong hash' : undefined;
  }
  if (version > floor) return 'no entry';
  return hash === 'wrong' ? 'other content' : undefined;
}

/** A document that was moved to another scope, or out of sync, leaves a delete in the log, and no tombstone where its id is global. */
function lost(
  document: DocumentElsewhere | undefined,
  { operation }: NewestEntry,
): DifferenceKind | undefined {
  if (operation === 'delete') return document ? undefined : 'no tombstone';
  if (!document) return 'no document';
  return document.scope === undefined ? 'no scope' : 'other scope';
}

/** Whether two wire forms are the same JSON, in whatever order their fields stand. */
function isSameData(one: JsonObject | null, other: JsonObject | null): boolean {
  const text = JSON.stringify(one);
  // By the text, in which a number has one form.
  return text === JSON.stringify(other) || isDeepStrictEqual(JSON.parse(text), other);
}

/** One document of which collection and log tell different things. */
export interface Finding {
  readonly storedId: StoredId;
  /** The same for ids that MongoDB takes for the same. */
  readonly key: string;
  readonly what: DifferenceKind;
  /** The document's version; null: it has none, or is not there. */
  readonly document: string | null;
  /** The version of its newest entry above the floor. */
  readonly log: string | null;
}

/**
 * How a difference is recorded: by the document as the transaction finds it then. Nothing happens if somebody has recorded it
 * since it was seen.
 */
export function repairOf({ what, document }: Finding): Observed {
  switch (what) {
    case 'no document':
      return { isGone: true };
    case 'no tombstone':
      return { lacksTombstone: true };
    case 'no scope':
      // It is taken back into the scope that the log has it in.
      return { since: '' };
    case 'other scope':
      return { hasLeft: true };
    default:
      return { unrecorded: document };
  }
}

/**
 * Whether a difference shows that somebody writes past the engine. Where the log was trimmed, nobody can tell then what
 * else was changed or removed.
 */
export function isForeign(what: DifferenceKind): boolean {
  return what !== 'wrong hash';
}
