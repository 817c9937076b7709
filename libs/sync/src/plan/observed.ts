import { isDeepStrictEqual } from 'node:util';
import type { Rejection } from 'nest-offline-sync-protocol';
import type { IdCodec } from '../codec/id-codec';
import type { StoredId } from '../codec/stored-document';

/** What is known of a document that somebody may have written past the engine. */
export interface Observed {
  /** Names the scope of a document that has none yet: a dotted path. */
  readonly scopeField?: string;
  /** A document of the request's scope was deleted. */
  readonly isGone?: boolean;
  /** Its log tells that it was deleted, but what is stored of a deleted document was seen to be missing. */
  readonly lacksTombstone?: boolean;
  /** Nothing was recorded since, while the document has no newer version than this. */
  readonly since?: string;
  /** It is recorded again, also when nothing differs. */
  readonly again?: boolean;
  /**
   * The version of a document that the log was seen not to tell of; null: it had none. It is recorded again while it has
   * that version.
   */
  readonly unrecorded?: string | null;
  /** The request's scope had it: if somebody else has taken it into another one meanwhile, this one's log is told. */
  readonly wasHere?: boolean;
  /** Nothing but that: the log is told unless the document is here. It is not written itself. */
  readonly hasLeft?: boolean;
  /** The scope field has changed. Undefined scope: it names none any more. */
  readonly moved?: { readonly to: string | undefined };
}

/** A document as the transaction has found it. */
export interface DocumentOrigin {
  readonly exists: boolean;
  readonly version: string | undefined;
  /** Null: in no scope. */
  readonly scope?: string | null;
  readonly hash?: string;
  /** It has none of its own fields of the engine, but those of this other document. */
  readonly copiedFrom?: StoredId;
}

/** As much of a collection as tells which documents it can have. */
interface CollectionOfIds {
  readonly ids: IdCodec;
  readonly name: string;
  readonly livesIn: (scopeId: string) => boolean;
}

/** Why a document cannot be in a scope, whatever it holds. */
export function whyNotIn(
  scopeId: string,
  { ids, name, livesIn }: CollectionOfIds,
  storedId: StoredId,
): Rejection | undefined {
  if (!livesIn(scopeId))
    return { code: 'wrong_scope', message: `collection ${name} does not live in scopes of this kind` };
  // What devices call it must lead to it again, and not to another document.
  return isDeepStrictEqual(ids.toStored(scopeId, ids.toWire(storedId)), storedId)
    ? undefined
    : {
        code: 'invalid_doc_id',
        message:
          'the wire cannot carry the _id: devices could not name the document. Without a schema ids are texts and whole numbers',
      };
}
