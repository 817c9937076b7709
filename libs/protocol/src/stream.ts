import { SyncError, errorBody, type ErrorCode } from './errors.ts';
import { isObject } from './json.ts';
import type { Position, ResyncReason } from './pull.ts';
import { collectionsParameter, cursorParameter, queryObject, type Cursor } from './read-query.ts';
import { utf8Length } from './text.ts';
import type { PushResponse } from './push.ts';
import { parseEnvelope, type Envelope } from './envelope.ts';
import { scopeParameter } from './scopes.ts';

/**
 * The socket: text messages of JSON, both ways. The client subscribes; from then on it gets one message an entry, the
 * entry's own JSON text exactly as in pull, and a ping now and then. It may push too: each push is answered by a message
 * with its id, and a refused push leaves the socket open. Before the server closes a socket for a reason of the
 * client's, it says which in an `error` message.
 */

/** Why the server closes a socket. Part of the wire. */
export const STREAM_CLOSE = {
  /** After `full_resync_required`: load everything again, then open another socket. */
  done: 1000,
  /** A message of more than limits.maxSocketMessageBytes, or a push far above limits.maxPushBytes. */
  too_large: 1009,
  internal: 1011,
  /** This process goes down: open another socket, with the last version. */
  restart: 1012,
  /** The server cannot check or read just now: try again later. */
  try_later: 1013,
  bad_message: 4400,
  /** No credentials, bad ones, or they have ended: come back with a fresh token. */
  unauthenticated: 4401,
  forbidden: 4403,
  /** No subscribe message came in time. */
  no_subscribe: 4408,
  /** The app no longer serves clients with this `client_schema`: come back with a newer version of the app. */
  client_outdated: 4426,
  too_many_messages: 4429,
} as const;
export type StreamClose = keyof typeof STREAM_CLOSE;

/**
 * Asks for everything above a cursor, and for what follows. Takes the place of an earlier one of the same scope on the same
 * socket.
 */
export interface SubscribeMessage extends Envelope {
  readonly type: 'subscribe';
  /** `last_seq`, a version or a seq of earlier answers; undefined starts at the beginning. */
  readonly since: Cursor | undefined;
  /** Names, without repetitions; undefined stands for all that the identity may read. */
  readonly collections: readonly string[] | undefined;
  /** Renews the socket's credentials too. */
  readonly token: string | undefined;
  /** Older clients send their scope. It widens nothing: another one than the identity's is refused. */
  readonly scopeId: string | undefined;
  /** Whether the client wants a `subscribed` message before the first entry. */
  readonly ack: boolean;
}

/** Credentials that take the place of those before: of the same scope and actor. */
export interface TokenMessage {
  readonly type: 'token';
  readonly token: string;
}

/** Ends the subscription of a scope (undefined: the identity's own), if there is one; the socket stays open for others. */
export interface UnsubscribeMessage {
  readonly type: 'unsubscribe';
  readonly scope: string | undefined;
}

/** What a client calls a push of its own, to find its answer by: given back as it came. */
export type PushId = string | number;

/** A push: the same body as over HTTP, with an id. */
export interface PushMessage {
  readonly type: 'push';
  readonly id: PushId;
  /** The push request, not checked yet (see PushRequest). It holds `type` and `id` too, which a push ignores. */
  readonly body: Record<string, unknown>;
}

export type ClientMessage =
  | SubscribeMessage
  | TokenMessage
  | UnsubscribeMessage
  | PushMessage
  /** Some clients answer pings. Nothing depends on it. */
  | { readonly type: 'pong' };

/**
 * Reads a client's message. Unknown fields are ignored.
 *
 * @throws SyncError `malformed_request` or `invalid_cursor`
 */
export function parseClientMessage(text: string): ClientMessage {
  const message = jsonObject(text);
  switch (message['type']) {
    case 'subscribe':
      return {
        type: 'subscribe',
        ...parseEnvelope(message),
        since: cursorParameter(queryObject(message)),
        collections: collectionsParameter(queryObject(message)),
        token: optionalText(message, 'token'),
        scopeId: optionalText(message, 'scope_id'),
        ack: optionalFlag(message, 'ack'),
      };
    case 'token': {
      const token = optionalText(message, 'token');
      if (token === undefined)
        throw malformed('A token message carries the fresh token: {"type":"token","token":"…"}.', 'token');
      return { type: 'token', token };
    }
    case 'push':
      return { type: 'push', id: pushId(message), body: message };
    case 'unsubscribe':
      return { type: 'unsubscribe', scope: scopeParameter(message) };
    case 'pong':
      return { type: 'pong' };
    default:
      throw malformed('type must be subscribe, unsubscribe, push, token or pong.', 'type');
  }
}

/**
 * @param at where a quiet client stands in its own scope, which may come back with `last_seq` as its `since`: everything
 *   asked up to here has been sent. Undefined without a subscription of it
 * @param scopes the same for each subscription, by scope, for a client that has named scopes
 * @param serverTime the clock that stamps are judged by, ISO 8601 in UTC
 */
export function pingText(
  at: Position | undefined,
  scopes?: Iterable<readonly [scope: string, at: Position]>,
  serverTime?: string,
): string {
  return JSON.stringify({
    type: 'ping',
    ...(at && positionOf(at)),
    ...(scopes && { scopes: Object.fromEntries([...scopes].map(([scope, of]) => [scope, positionOf(of)])) }),
    ...(serverTime === undefined ? {} : { server_time: serverTime }),
  });
}

function positionOf({ version, seq }: Position): object {
  return { last_seq: version, seq };
}

/*
 * `scope` is in these messages for a client that has named scopes on the socket: then all of them tell which they are
 * about. A client that never did gets what it always got.
 */

/** @param identity what `X-Sync-Identity` says over HTTP */
export function subscribedText(
  collections: readonly string[],
  since: Cursor | undefined,
  scope?: string,
  identity?: string,
): string {
  return JSON.stringify({
    type: 'subscribed',
    ...scoped(scope),
    collections,
    ...(typeof since === 'number' ? { seq: since } : since === undefined ? {} : { last_seq: since }),
    ...(identity === undefined ? {} : { identity }),
  });
}

export function fullResyncText(collections: readonly string[], reason: ResyncReason, scope?: string): string {
  return JSON.stringify({ type: 'full_resync_required', ...scoped(scope), collections, reason });
}

/** The answer to a push: what HTTP answers with 200. */
export function pushedText(id: PushId, response: PushResponse): string {
  return JSON.stringify({ type: 'pushed', id, ...response });
}

/**
 * A push that was refused as a whole: nothing of it was written. The socket stays open.
 *
 * @param retryAfterSeconds when the same push makes sense again, where that is known
 */
export function pushFailedText(id: PushId, error: SyncError, retryAfterSeconds?: number): string {
  const { statusCode: _, ...body } = errorBody(error);
  const retryAfter = retryAfterSeconds === undefined ? {} : { retry_after: retryAfterSeconds };
  return JSON.stringify({ type: 'push_failed', id, ...body, ...retryAfter });
}

/** @param scope of the subscription that alone has ended; without one the socket closes */
export function errorText(error: SyncError, scope?: string): string {
  const { statusCode: _, ...body } = errorBody(error);
  return JSON.stringify({ type: 'error', ...scoped(scope), ...body });
}

/** The entries that follow are of this scope. */
export function scopeText(scope: string): string {
  return JSON.stringify({ type: 'scope', scope });
}

/** The scope may not be used any more: nothing more of it follows. */
export function scopeLostText(scope: string): string {
  return JSON.stringify({ type: 'scope_lost', scope });
}

function scoped(scope: string | undefined): object {
  return scope === undefined ? {} : { scope };
}

/** With which code a socket closes after an error. */
export function closeFor(error: SyncError): StreamClose {
  return CLOSE_BY_CODE[error.code] ?? CLOSE_BY_STATUS[error.status] ?? 'internal';
}

const CLOSE_BY_CODE: Partial<Record<ErrorCode, StreamClose>> = {
  shutting_down: 'restart',
  identity_changed: 'forbidden',
  // Whatever status the app's own code chose for it.
  busy: 'try_later',
  unavailable: 'try_later',
  client_outdated: 'client_outdated',
};
const CLOSE_BY_STATUS: Partial<Record<number, StreamClose>> = {
  400: 'bad_message',
  401: 'unauthenticated',
  403: 'forbidden',
  413: 'too_large',
  429: 'too_many_messages',
  503: 'try_later',
};

function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed('A message must be JSON text.');
  }
  if (isObject(value)) return value;
  throw malformed('A message must be a JSON object with a type.');
}

const MAX_PUSH_ID_BYTES = 128;

/** Without a usable one nothing could tell the client which push it was. */
function pushId({ id }: Record<string, unknown>): PushId {
  const usable =
    typeof id === 'string'
      ? id !== '' && (utf8Length(id) ?? Infinity) <= MAX_PUSH_ID_BYTES
      : Number.isSafeInteger(id);
  if (usable) return id as PushId;
  throw malformed(`id must be a string of 1 to ${MAX_PUSH_ID_BYTES} bytes or a safe integer.`, 'id');
}

function optionalText(message: Record<string, unknown>, field: string): string | undefined {
  const value = message[field];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw malformed(`${field} must be text.`, field);
}

function optionalFlag(message: Record<string, unknown>, field: string): boolean {
  const value = message[field];
  if (value === undefined || value === null) return false;
  if (typeof value === 'boolean') return value;
  throw malformed(`${field} must be true or false.`, field);
}

function malformed(message: string, path?: string): SyncError {
  return new SyncError('malformed_request', message, path === undefined ? {} : { path });
}
