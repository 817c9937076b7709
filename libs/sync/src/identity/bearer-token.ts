import { hash } from 'node:crypto';
import { isObject, SyncError } from 'nest-offline-sync-protocol';

/** Longest token that is looked at, characters: what HTTP servers allow all headers together. */
export const MAX_TOKEN_LENGTH = 16_384;

/** Whether a text can stand behind `Bearer ` in a header: visible ASCII, no spaces, not too long. */
export function isTokenText(token: unknown): token is string {
  return typeof token === 'string' && token.length <= MAX_TOKEN_LENGTH && /^[\x21-\x7e]+$/.test(token);
}

/** The token of an Authorization header, or undefined when it carries none. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^bearer +([\x21-\x7e]+)$/i.exec(authorization?.trim() ?? '')?.[1];
}

/**
 * When a JWT that has been verified ends, by its `exp`. Undefined without one, and for opaque tokens. Never decides
 * whether a token is good: it only reads what it says.
 */
export function tokenExpiry(token: string): Date | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    return expiryOf(JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString()));
  } catch {
    return undefined;
  }
}

/** The `exp` claim (seconds since 1970) of a payload as a date. */
export function expiryOf(payload: unknown): Date | undefined {
  if (!isObject(payload) || typeof payload['exp'] !== 'number') return undefined;
  const date = new Date(payload['exp'] * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

interface Verified {
  /** The payload's JSON: each request gets its own object. */
  readonly payload: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** What a token has proved to be, for as long as that holds: so that it is not verified again with each request. */
export class VerifiedTokens {
  /** By the token's hash: no token is kept. The oldest first. */
  private readonly known = new Map<string, Verified>();

  /** @param limit at most this many tokens; the oldest is forgotten then */
  constructor(private readonly limit: number) {}

  /** The payload of a token that was verified before and has not expired. */
  get(token: string, nowMs: number): unknown {
    const key = keyOf(token);
    const found = this.known.get(key);
    if (!found) return undefined;
    if (nowMs < found.until) return JSON.parse(found.payload);
    this.known.delete(key);
    return undefined;
  }

  /** Keeps a verified token's payload up to its `exp`. */
  keep(token: string, payload: unknown, nowMs: number): void {
    const { exp } = isObject(payload) ? payload : {};
    const until = typeof exp === 'number' ? exp * 1000 : Infinity;
    if (!(until > nowMs)) return;
    const [oldest] = this.known.size < this.limit ? [] : this.known.keys();
    if (oldest !== undefined) this.known.delete(oldest);
    this.known.set(keyOf(token), { payload: JSON.stringify(payload), until });
  }
}

function keyOf(token: string): string {
  return hash('sha256', token, 'base64');
}

/**
 * Why a bearer token did not pass, in words of our own: the verifier's texts can hold configured names, and they
 * never say what to do.
 */
export function tokenFailure(cause: unknown): SyncError {
  if (cause instanceof SyncError) return cause;
  const { name, message } = cause instanceof Error ? cause : { name: '', message: '' };
  return new SyncError('unauthenticated', explain(name, message));
}

function explain(name: string, message: string): string {
  if (message === 'No auth token') return 'No bearer token: send `Authorization: Bearer <token>`.';
  if (name === 'TokenExpiredError') return 'The token has expired: get a fresh one.';
  if (name === 'NotBeforeError') return 'The token is not valid yet: its nbf lies ahead of this server.';
  if (message === 'invalid signature') return 'The token was not signed by the key that this server trusts.';
  if (message === 'invalid algorithm')
    return 'The token is signed with an algorithm that this server does not accept.';
  if (message === 'jwt signature is required') return 'The token is not signed.';
  if (message.startsWith('jwt issuer invalid')) return 'The token comes from another issuer.';
  if (message.startsWith('jwt audience invalid')) return 'The token was made for another audience.';
  return 'The bearer token is not a valid JWT.';
}
