import type { DocId, Json, JsonObject, PatchBody } from 'nest-offline-sync-protocol';

/** What a mutation does to its document. */
export type Change =
  | { readonly operation: 'upsert'; readonly data: JsonObject }
  | { readonly operation: 'patch'; readonly patch: PatchBody }
  | { readonly operation: 'delete' };

/** A change as it is sent. Kept from the first sending on, and sent again in the same words. */
export interface WireChange {
  readonly collection: string;
  readonly operation: 'upsert' | 'patch' | 'delete';
  readonly doc_id: DocId;
  readonly data?: JsonObject;
  readonly unset?: readonly string[];
  readonly inc?: Readonly<Record<string, number>>;
  readonly add?: Readonly<Record<string, readonly Json[]>>;
  readonly remove?: Readonly<Record<string, readonly Json[]>>;
  readonly parent_version: string | null;
  readonly hlc: string;
  readonly mutation_id: string;
  readonly parent_mutation_id?: string;
  readonly group?: string;
  readonly return: 'document';
}

/**
 * An edit of the user that is not finished. The mutations of a document form a chain, in the order of `seq`: each was made on
 * what the one before it has left (`before` is the `after` of that one), and all have the same parent version, that of the
 * document that the chain began on. So body, parent and what the user saw always agree.
 *
 *   waiting   may be coalesced with the next edit, until it is sent first
 *   sent      frozen, and not answered: it may have taken effect
 *   answered  taken by the server; stays until the base holds what became of it, or while the next one builds on it; apart from
 *             its chain, until the log has told it too: a server that was restored has lost it
 */
export interface Mutation {
  /** The order of edits on this device. */
  readonly seq: number;
  /** `mutation_id` on the wire. */
  readonly id: string;
  readonly collection: string;
  readonly doc: DocId;
  readonly change: Change;
  /** As the server is told, where its document has the shape of an older version of the app, and the change can only be said of that. */
  readonly wire?: Change | undefined;
  /** What the user saw when the edit was made; null: no document. */
  readonly before: JsonObject | null;
  /** What the user saw after it. */
  readonly after: JsonObject | null;
  readonly parent: string | null;
  /** By the device's clock. Milliseconds. */
  readonly editedAt: number;
  /** The newest version that the device had seen by then. */
  readonly seen: string | null;
  /** The local transaction that it belongs to: all of it is taken, or nothing. */
  readonly tx?: string | undefined;
  readonly state: 'waiting' | 'sent' | 'answered';
  readonly sent?: { readonly change: WireChange; readonly at: number } | undefined;
  readonly answer?: { readonly version: string } | undefined;
  /** How often an answer has sent it back. From 1 on it is not coalesced. */
  readonly returns: number;
  /** The server does not know any more what it builds on: the mutation before it goes along. */
  readonly withParent?: true | undefined;
  /** The server failed at it again and again: not to be sent before this time of the device's clock. */
  readonly parkedUntil?: number | undefined;
  /** Its parent is of another database: to be made on the document that a full load brings. */
  readonly orphan?: true | undefined;
  /** It is finished and has left its chain. */
  readonly aside?: true | undefined;
  /** It was answered by a database that has been restored since: whether it is there is clear after the load. */
  readonly doubtful?: true | undefined;
}

/** What the user sees of a document that has a chain. */
export interface ViewRow {
  /** Null: deleted. */
  readonly data: JsonObject | null;
  /** `seq` of its mutations, rising. */
  readonly chain: readonly number[];
}

/** One refused change, as the user has to decide about it. */
export interface RefusedChange {
  readonly collection: string;
  readonly id: DocId;
  readonly mutation: string;
  readonly change: Change;
  /** Why this one was refused; null: it was built on one that was, or stood or fell with it. */
  readonly code: string | null;
  /** The document as the user had made it. Null: deleted. */
  readonly mine: JsonObject | null;
  /** As the user saw it before. */
  readonly base: JsonObject | null;
  /** As the server has it, as far as this device knows; null: it has none. */
  readonly theirs?: JsonObject | null | undefined;
  /** It was sent, and neither taken nor refused itself: the same words may keep their id. */
  readonly rolledBack?: true | undefined;
}

/** What stands or falls together, in quarantine. */
export interface RefusedEntry {
  readonly id: string;
  /** Of the change that was refused. */
  readonly code: string;
  /** What was wrong, and what to do. */
  readonly message: string;
  /** By the device's clock. Milliseconds. */
  readonly at: number;
  /** The order of edits on this device: of the first one. */
  readonly seq: number;
  readonly changes: readonly RefusedChange[];
  /** They were one local transaction, or became one by standing on it. */
  readonly transaction: boolean;
}

/** A text for each document: for maps and sets. */
export function docKey(collection: string, id: DocId): string {
  return JSON.stringify([collection, id]);
}

export function changesIn(entries: readonly RefusedEntry[]): number {
  return entries.reduce((sum, { changes }) => sum + changes.length, 0);
}
