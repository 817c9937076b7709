import { KeyObject } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { createRemoteJWKSet, decodeProtectedHeader, errors } from 'jose';
import { SyncError } from '../protocol/errors';
import type { JwtVerification } from './jwt.options';

/** No more fetches for unknown key ids than one in this time, whatever tokens arrive. Milliseconds. */
const REFETCH_PAUSE_MS = 3_000;
const FETCH_TIMEOUT_MS = 5_000;

/** Finds the key that a token has to be verified with. */
export type KeyLookup = (token: string) => Promise<KeyObject>;

/**
 * The one configured key, or the one of the key set that the token's header names. The set is kept, and fetched again
 * after ten minutes and when a token names a key that it does not have (rotation).
 *
 * The lookup throws SyncError `unauthenticated` when there is no such key, `unavailable` when the set is out of reach:
 * a client must not throw its token away because of that.
 */
export function keyLookup({ key, algorithms }: Pick<JwtVerification, 'key' | 'algorithms'>): KeyLookup {
  if (key instanceof KeyObject) return () => Promise.resolve(key);
  const logger = new Logger('SyncModule');
  const keySet = createRemoteJWKSet(key, {
    cooldownDuration: REFETCH_PAUSE_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
  });
  let reachable = true;
  return async (token) => {
    const header = headerOf(token);
    // Before any fetch: a token that is refused anyway must not cause one.
    if (!algorithms.some((name) => name === header.alg))
      throw new SyncError(
        'unauthenticated',
        'The token is signed with an algorithm that this server does not accept.',
      );
    try {
      const found = KeyObject.from(await keySet(header));
      reachable = true;
      return found;
    } catch (error) {
      if (isUnknownKey(error))
        throw new SyncError('unauthenticated', 'The token names no key that this server trusts.');
      if (reachable) logger.error(`The key set at ${key.origin} cannot be read: ${String(error)}`);
      reachable = false;
      throw new SyncError('unavailable', 'Tokens cannot be verified at the moment. Try again shortly.', {
        retryAfterSeconds: 5,
        cause: error,
      });
    }
  };
}

function headerOf(token: string): { alg?: string; kid?: string } {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    return { ...(typeof alg === 'string' ? { alg } : {}), ...(typeof kid === 'string' ? { kid } : {}) };
  } catch {
    throw new SyncError('unauthenticated', 'The bearer token is not a valid JWT.');
  }
}

function isUnknownKey(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
