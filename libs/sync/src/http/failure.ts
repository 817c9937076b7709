import type { ErrorCode } from '../protocol/errors';
import { isObject } from '../protocol/json';

/** Seconds after which a client tries again, where nothing better is known. */
export const RETRY_AFTER_SECONDS = 2;

/** The code of the body for an HttpException of Nest or of the app. */
export function codeForStatus(status: number): ErrorCode {
  switch (status) {
    case 401:
      return 'unauthenticated';
    case 403:
      return 'forbidden';
    case 413:
      return 'payload_too_large';
    case 429:
      return 'busy';
    case 503:
      return 'unavailable';
    default:
      return status < 500 ? 'malformed_request' : 'internal';
  }
}

/**
 * What a log may say of an unexpected error: its name, code and place. The message of a database or parser error
 * holds keys and values of documents, so it stays out.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  const code = isObject(error) && typeof error['code'] === 'number' ? ` ${String(error['code'])}` : '';
  const message = mayHoldData(error) ? '' : `: ${error.message}`;
  const frames = (error.stack ?? '').split('\n').filter((line) => line.trimStart().startsWith('at '));
  return [`${error.name}${code}${message}`, ...frames].join('\n');
}

function mayHoldData(error: Error): boolean {
  const safe = ['TypeError', 'RangeError', 'ReferenceError', 'SyncError'];
  return !safe.includes(error.name);
}
