import type { JsonObject } from './json.ts';
import { isShortText } from './text.ts';

/** A document's id as clients see it: a string (1 to 256 UTF-8 bytes, no NUL) or a safe integer. */
export type DocId = string | number;
/** What a change asks to be done to a document. */
export type Operation = 'upsert' | 'delete' | 'patch';
/** What the log tells about a document: that it has a new state, or is gone. */
export type LogOperation = 'upsert' | 'delete';

export const MAX_ID_BYTES = 256;

/** One entry of a scope's log as pull and stream send it. Order and content never change once written. */
export interface LogChange {
  readonly version: string;
  /** The same order as `version`, as a plain integer: 1, 2, 3 … inside a scope. */
  readonly seq: number;
  readonly collection: string;
  readonly doc_id: DocId;
  readonly operation: LogOperation;
  /** The whole document without its id and `_sync_*`; null for a delete. */
  readonly data: JsonObject | null;
  readonly parent_version: string | null;
  /** The winning edit stamp, when the client sent one. */
  readonly hlc?: string;
  /** Who pushed it; the app's own writes have none. */
  readonly client_id?: string;
  /** Of the change that was pushed, where it had one. */
  readonly mutation_id?: string;
}

/** Whether a value may be a document id. Says nothing about the collection's own id type. */
export function isDocId(value: unknown): value is DocId {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return isShortText(value, MAX_ID_BYTES);
}
