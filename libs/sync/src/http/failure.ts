import { isSocketError } from '../oplog/socket-error';
import type { ErrorCode } from '../protocol/errors';
import { isObject } from '../protocol/json';

/** Seconds after which a client tries again, where nothing better is known. */
export const RETRY_AFTER_SECONDS = 2;

const OUT_OF_REACH_NAMES =
  /^Mongo(ose)?(Network|ServerSelection|PoolCleared|WaitQueueTimeout|NotConnected|TopologyClosed|ClientClosed|OperationTimeout)|^PoolCleared/;
/** Time limits, interruptions, stepping down, no primary, lost connections: codes of the server. */
const OUT_OF_REACH_CODES = new Set([
  6, 7, 50, 64, 89, 91, 133, 189, 262, 9001, 10107, 11600, 11601, 11602, 13435, 13436,
]);

/** Whether an error says that the database cannot be reached or has no primary now: 503, try again. */
export function isDatabaseOutOfReach(error: unknown): boolean {
  if (isSocketError(error)) return true;
  if (!(error instanceof Error)) return false;
  if (OUT_OF_REACH_NAMES.test(error.name)) return true;
  if (!isDatabaseError(error)) return false;
  const code: unknown = isObject(error) ? error['code'] : undefined;
  return typeof code === 'number' && OUT_OF_REACH_CODES.has(code);
}

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

function isDatabaseError(error: Error): boolean {
  return error.name.startsWith('Mongo');
}

function mayHoldData(error: Error): boolean {
  const safe = ['TypeError', 'RangeError', 'ReferenceError', 'SyncError'];
  return !safe.includes(error.name);
}
