import { isObject, STREAM_CLOSE } from 'nest-offline-sync-protocol';

/**
 * Why a request got no answer that can be used, as far as it decides what to do next.
 *
 *   transient   the same again, later
 *   auth        the same again with another token
 *   forbidden   this identity may not: until the identity or its rights change
 *   identity    the credentials are of another identity than the data
 *   outdated    the server no longer takes this version of the app
 *   too-large   fewer changes at a time
 *   cursor      the page cursor is of no use any more: begin the load again
 *   internal    the server failed at this very request
 *   malformed   the server does not understand: a fault of the client
 */
export type FailureKind =
  | 'transient'
  | 'auth'
  | 'forbidden'
  | 'identity'
  | 'outdated'
  | 'too-large'
  | 'cursor'
  | 'internal'
  | 'malformed';

export interface Failure {
  readonly kind: FailureKind;
  /** Of the server, or `network`, or `no_token`. */
  readonly code: string;
  readonly message: string;
  /** Milliseconds; 0 if the server said nothing. */
  readonly retryAfterMs: number;
  /** How much may be sent, with `too-large`. */
  readonly limit?: number | undefined;
}

export const NETWORK: Failure = {
  kind: 'transient',
  code: 'network',
  message: 'The server could not be reached.',
  retryAfterMs: 0,
};

/** Of a request that could not be made, because there is no token. */
export const NO_TOKEN = 'no_token';

const BY_CODE: Readonly<Record<string, FailureKind>> = {
  unauthenticated: 'auth',
  forbidden: 'forbidden',
  scope_forbidden: 'forbidden',
  scope_missing: 'forbidden',
  origin_not_allowed: 'forbidden',
  identity_changed: 'identity',
  client_outdated: 'outdated',
  too_many_changes: 'too-large',
  payload_too_large: 'too-large',
  invalid_cursor: 'cursor',
  busy: 'transient',
  unavailable: 'transient',
  shutting_down: 'transient',
  preparation_timeout: 'transient',
  push_id_in_use: 'transient',
  too_many_subscriptions: 'transient',
  internal: 'internal',
};

/** A server that asks for more is taken to be wrong: nobody would look after it any more. A day. */
const MOST_SECONDS = 86_400;

/**
 * How long `Retry-After` asks to wait: seconds, or a time, as gateways have it (RFC 9110, 10.2.3). NaN: nothing that can be read.
 *
 * @param date of the same answer, by the same clock as that time
 * @param deviceNow where there is none
 */
export function secondsUntil(retryAfter: string | null, date: string | null, deviceNow: number): number {
  if (retryAfter === null || retryAfter.trim() === '') return NaN;
  const seconds = Number(retryAfter);
  if (!Number.isNaN(seconds)) return seconds;
  const now = Date.parse(date ?? '');
  return (Date.parse(retryAfter) - (Number.isNaN(now) ? deviceNow : now)) / 1_000;
}

/** What an HTTP answer that is no success means, or a refusal over the socket (status 0). Any body may come: proxies answer too. */
export function failureOf(status: number, body: unknown, retryAfterSeconds: number): Failure {
  const fields = isObject(body) ? body : {};
  const code = typeof fields['code'] === 'string' ? fields['code'] : `http_${String(status)}`;
  const limit = typeof fields['limit'] === 'number' ? fields['limit'] : undefined;
  const message =
    typeof fields['message'] === 'string' ? fields['message'] : `The server answered ${String(status)}.`;
  const retryAfterMs = Number.isFinite(retryAfterSeconds)
    ? Math.min(MOST_SECONDS, Math.max(0, retryAfterSeconds)) * 1_000
    : 0;
  return { kind: BY_CODE[code] ?? byStatus(status), code, message, retryAfterMs, limit };
}

function byStatus(status: number): FailureKind {
  if (status === 401) return 'auth';
  if (status === 403) return 'forbidden';
  if (status === 413) return 'too-large';
  if (status === 400 || status === 415 || status === 422) return 'malformed';
  if (status === 500) return 'internal';
  // 404 and 410 too: a server that is being replaced, a proxy that knows no route yet.
  return 'transient';
}

/** What to do after a socket has closed. */
export type AfterClose =
  'resync' | 'at-once' | 'soon' | 'backoff' | 'token' | 'forbidden' | 'outdated' | 'polling';

export function afterClose(code: number): AfterClose {
  switch (code) {
    case STREAM_CLOSE.done:
      return 'at-once';
    case STREAM_CLOSE.restart:
      return 'soon';
    case STREAM_CLOSE.unauthenticated:
      return 'token';
    case STREAM_CLOSE.forbidden:
      return 'forbidden';
    case STREAM_CLOSE.client_outdated:
      return 'outdated';
    case STREAM_CLOSE.bad_message:
    case STREAM_CLOSE.too_large:
      return 'polling';
    default:
      return 'backoff';
  }
}
