import type { DocId, JsonObject, Operation } from 'nest-offline-sync-protocol';
import type { DocumentForm } from './document-form';
import type { SyncIdentity } from '../identity/identity';

/** How a change is judged whose parent is no longer the document's version. */
export const CONFLICT_STRATEGIES = ['last-writer-wins', 'reject-stale', 'client-wins', 'merge'] as const;
export type ConflictStrategy = (typeof CONFLICT_STRATEGIES)[number];

/** How an upsert on a deleted document is judged, before the strategy is asked. */
export const DELETE_UPDATE_POLICIES = ['resurrect_on_update', 'reject_update', 'delete_wins'] as const;
export type DeleteUpdatePolicy = (typeof DELETE_UPDATE_POLICIES)[number];

/** The part of a collection's configuration that the push planner decides by. Plain data. */
export interface CollectionRules {
  readonly strategy: ConflictStrategy | 'custom';
  readonly deleteUpdatePolicy: DeleteUpdatePolicy;
  /** What is special about the collection's documents; absent where they are stored as they come. */
  readonly form?: DocumentForm;
  /** What a patched document may measure: the sender of a patch cannot tell. Absent: anything. */
  readonly limits?: DocumentLimits;
  /** Writes past the engine are looked for and recorded. */
  readonly capture?: CaptureRules;
  /** A transform or a DTO of the app sees each document before it is stored, a patched one too. */
  readonly preparesByApp?: boolean;
}

export interface CaptureRules {
  /** Names the scope of a document that the app has made: a dotted path. Without it such a document stays the app's own. */
  readonly scopeField?: string;
}

export interface DocumentLimits {
  /** Objects and arrays inside one another; the document itself is the first. */
  readonly maxDepth: number;
  /** UTF-8 bytes of the document as JSON. */
  readonly maxDocumentBytes: number;
}

/** What a custom resolver is given: both sides as clients see them. */
export interface Conflict {
  readonly collection: string;
  readonly docId: DocId;
  /** The stored document; null when it is deleted. */
  readonly current: JsonObject | null;
  readonly currentVersion: string;
  readonly change: {
    readonly operation: Operation;
    /**
     * The whole document as the device has it, null for a delete; also for a patch: what the patch sets, laid on the document that
     * the device knew, or on the current one where the log no longer has that. What it adds and removes is applied
     * to the answer afterwards.
     */
    readonly data: JsonObject | null;
    readonly parentVersion: string | null;
    readonly hlc?: string;
  };
  /** The document as the client knew it, while the log still has it. */
  readonly base?: JsonObject | null;
  readonly identity: SyncIdentity;
}

/**
 * The app's resolver: gives the document that both sides will have, or null to delete it. It may be called
 * more than once for one change (the document may have moved on meanwhile), so it must have no side effects.
 * It runs outside any transaction. An error that it throws, or an answer that is no document (a Date, a Map, undefined),
 * rejects the change with `resolver_failed`.
 */
export abstract class ConflictResolver {
  abstract resolve(conflict: Conflict): JsonObject | null | Promise<JsonObject | null>;
}
export type ConflictResolverFunction = ConflictResolver['resolve'];
