import type { PatchBody } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import type { HeadRecord } from '../log/records';
import { documentKey, type PlanRequest, type PlanSnapshot, type ReadyChange } from '../plan/plan';
import type { SyncIdentity } from '../identity/identity';
import type { Target } from './target';

/** What a document is to become. */
export interface ServerChange {
  readonly target: Target;
  /**
   * Null for a delete and for a patch; else the new document, from what stands there now (undefined: nothing, or a
   * tombstone). Runs inside the transaction, and may run again.
   */
  readonly become: ((stored: StoredDocument | undefined) => Promise<StoredDocument>) | null;
  /** Applied by the plan to the document that stands. */
  readonly patch?: PatchBody;
  /** Only written while the document has this version; undefined: whatever it has. */
  readonly ifVersion?: string | undefined;
  /** What the log tells as the parent. */
  readonly parent: string | null;
  /** The version that the change was promised; it must still be above the head. */
  readonly reserved?: string | undefined;
}

/** The app's change as a push of one, so that one planner rules over all writes (invariant 11). */
export function asRequest(
  identity: SyncIdentity,
  { target: { collection, storedId, wireId }, patch, parent, reserved }: ServerChange,
  document: StoredDocument | null,
): PlanRequest {
  const change: ReadyChange = {
    kind: 'ready',
    collection: collection.name,
    // The app's transform and DTO are about what devices send.
    rules: { ...collection.rules, preparesByApp: false },
    operation: patch ? 'patch' : document === null ? 'delete' : 'upsert',
    key: documentKey(collection.name, storedId, wireId),
    storedId,
    wireId,
    document,
    ...(patch ? { patch } : {}),
    parent,
    hlc: null,
    byServer: { reserved },
  };
  const { scopeId, actorId } = identity;
  return { scopeId, actorId, clientId: '', atomic: 'batch', changes: [change] };
}

/** What the planner sees for one change: the scope's head and the document. */
export function snapshotFor(
  scopeId: string,
  { collection, storedId, wireId }: Target,
  head: HeadRecord | undefined,
  found: StoredDocument | 'foreign' | undefined,
): PlanSnapshot {
  return {
    heads: new Map(head ? [[scopeId, head]] : []),
    documents: new Map(found ? [[documentKey(collection.name, storedId, wireId), found]] : []),
    receipts: new Map(),
    bases: new Map(),
  };
}
