import { SyncError } from '../protocol/errors';

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
