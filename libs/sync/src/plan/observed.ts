/** What is known of a document that somebody may have written past the engine. */
export interface Observed {
  /** Names the scope of a document that has none yet: a dotted path. */
  readonly scopeField?: string;
  /** A document of the request's scope was deleted. */
  readonly isGone?: boolean;
  /** Nothing was recorded since, while the document has no newer version than this. */
  readonly since?: string;
  /** It is recorded again, also when nothing differs. */
  readonly again?: boolean;
  /**
   * The version of a document that the log was seen not to tell of; null: it had none. It is recorded again while it has
   * that version.
   */
  readonly unrecorded?: string | null;
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
}
