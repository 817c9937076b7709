import type { StoredDocument, StoredId, SyncedCollection } from '../collections/collection';
import type { SyncIdentity } from '../identity/identity';
import { documentKey, type PlanRequest, type ReadyChange } from '../push/plan';

/** A change that the app itself makes, cast and ready. */
export interface ServerChange {
  readonly collection: SyncedCollection;
  readonly storedId: StoredId;
  /** Null for a delete. */
  readonly document: StoredDocument | null;
  /** Only written while the document has this version; undefined: whatever it has. */
  readonly ifVersion: string | undefined;
  /** What the log tells as the parent. */
  readonly parent: string | null;
}

/**
 * The app's change as a push of one, so that one planner rules over all writes (invariant 11). Without `ifVersion` it
 * is written whatever stands there; with it, a document that has moved on is a `conflict_stale`.
 *
 * @param reserved the version that the change was promised
 */
export function asRequest(identity: SyncIdentity, change: ServerChange, reserved?: string): PlanRequest {
  const { collection, storedId, document, ifVersion, parent } = change;
  const wireId = collection.ids.toWire(storedId);
  const ready: ReadyChange = {
    collection: collection.name,
    rules: { ...collection.rules, strategy: 'reject-stale', deleteUpdatePolicy: 'resurrect_on_update' },
    operation: document === null ? 'delete' : 'upsert',
    key: documentKey(collection.name, storedId, wireId),
    storedId,
    wireId,
    document,
    parent: ifVersion ?? parent,
    hlc: null,
    ...(ifVersion === undefined ? { byServer: { reserved } } : {}),
  };
  const { scopeId, actorId } = identity;
  return { scopeId, actorId, clientId: '', atomic: 'batch', changes: [{ kind: 'ready', change: ready }] };
}
