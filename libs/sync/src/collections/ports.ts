import type { Observable } from 'rxjs';
import type { DocId, Operation } from '../protocol/change';
import type { JsonObject } from '../protocol/json';
import type { SyncIdentity } from '../identity/identity';

export type CollectionAction = 'read' | Operation;

/**
 * May this identity do this in this collection? Asked once a request, collection and action, before anything is
 * read or queued. Must decide by its arguments. Only `true`, or a promise or an Observable of it, allows (of an Observable
 * that completes, the last value counts). False answers 403 to a read and rejects a change; anything else does too, and
 * the log says once that the authorizer is wrong.
 */
export abstract class SyncAuthorizer {
  abstract authorize(
    identity: SyncIdentity,
    collection: string,
    action: CollectionAction,
  ): boolean | Promise<boolean> | Observable<boolean>;
}
export type SyncAuthorizerFunction = SyncAuthorizer['authorize'];

/**
 * Changes or completes a client's document before it is validated and stored (sets an owner, trims a text). Gets the
 * data as it travelled and returns what takes its place, a plain object; nothing returned keeps it. Runs before queueing, once a
 * change. A thrown SyncError rejects the change with its code, any other error with `invalid_data`.
 */
export abstract class DocumentTransform {
  abstract transform(
    collection: string,
    data: JsonObject,
    identity: SyncIdentity,
    docId: DocId,
  ): JsonObject | undefined | Promise<JsonObject | undefined>;
}
export type DocumentTransformFunction = DocumentTransform['transform'];
