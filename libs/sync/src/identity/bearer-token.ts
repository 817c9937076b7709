import { isObject } from '../protocol/json';

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
