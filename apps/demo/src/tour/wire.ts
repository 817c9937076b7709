/** The part of the wire that the tour uses. docs/protocol.md has all of it. */
export interface Change {
  readonly collection: string;
  readonly operation: 'upsert' | 'delete';
  readonly doc_id: string;
  readonly data?: object;
  /** The version that the device had of the document; none for a new one. */
  readonly parent_version?: string;
  readonly mutation_id?: string;
}

export interface PushResult {
  readonly doc_id: string;
  readonly status: 'accepted' | 'conflict_resolved' | 'rejected';
  readonly new_version: string | null;
  readonly server_version: string | null;
  readonly code?: string | null;
  readonly error?: string | null;
  readonly replayed?: boolean;
}

export interface Entry {
  readonly version: string;
  readonly seq: number;
  readonly collection: string;
  readonly doc_id: string;
  readonly operation: 'upsert' | 'delete';
  readonly data: Readonly<Record<string, unknown>> | null;
}

export interface PullPage {
  readonly changes: readonly Entry[];
  readonly last_seq: string;
  readonly has_more: boolean;
}

export interface FullLine {
  readonly collection: string;
  readonly doc_id: string;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly deleted: boolean;
  readonly version: string | null;
}

/** The last line of a page: without it the page is not whole. */
export interface FullEnd {
  readonly end: true;
  readonly last_seq: string;
  readonly cursor: string | null;
}

export interface FullPage {
  readonly lines: readonly FullLine[];
  /** Pull from here afterwards. */
  readonly lastSeq: string;
  /** The next page; undefined after the last one. */
  readonly cursor: string | undefined;
}
