import type { Observable } from 'rxjs';
import { SyncError, type DocId, type JsonObject, type Operation } from 'nest-offline-sync-protocol';
import type { SyncIdentity } from '../identity/identity';

/** A patch is asked about as an upsert: it does no more than an upsert of the whole document could. */
export type CollectionAction = 'read' | Exclude<Operation, 'patch'>;

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
 * change. Of a patch it gets the whole document as the patch leaves it, outside of any transaction, and again when the
 * document has changed meanwhile: it must have no side effects. A thrown SyncError rejects the change with its code, any other error with `invalid_data`.
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

/** A port's one method. */
export type PortMethod = 'authorize' | 'transform' | 'resolve';
type AnyFunction = (...args: never[]) => unknown;

/**
 * What a host gave for a port: a provider's class, known by the port's method on its prototype, or a function.
 *
 * @param where the option, for the message
 * @throws SyncError `configuration` when it is neither
 */
export function portKind(port: unknown, method: PortMethod, where: string): 'class' | 'function' {
  if (typeof port !== 'function')
    throw refused(where, `must be a provider's class with a method ${method}, or a function`);
  const prototype: unknown = (port as AnyFunction & { readonly prototype?: unknown }).prototype;
  const given: unknown = (prototype as Partial<Record<PortMethod, unknown>> | null | undefined)?.[method];
  if (typeof given === 'function') return 'class';
  if (given !== undefined || /^class\b/.test(Function.prototype.toString.call(port)))
    throw refused(
      where,
      `is the class ${port.name}, which has no method ${method}; write it as a method, not as a property with a function`,
    );
  return 'function';
}

function refused(where: string, message: string): SyncError {
  return new SyncError('configuration', `SyncModule: ${where} ${message}.`, { path: where });
}

/**
 * Whether an authorizer has said no by what it threw: a SyncError of that status, or the app's own ForbiddenException.
 * Any other error is the caller's.
 */
export function isRefusal(error: unknown): boolean {
  return (error instanceof SyncError ? error.status : httpStatus(error)) === 403;
}

function httpStatus(error: unknown): unknown {
  return error instanceof Error && 'getStatus' in error && typeof error.getStatus === 'function'
    ? (error.getStatus as () => unknown)()
    : undefined;
}
