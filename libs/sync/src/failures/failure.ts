import { isObject, SyncError } from 'nest-offline-sync-protocol';
import { isPassing } from '../database/errors';
import { hostRefusal } from './host-refusal';

/** Seconds after which a client tries again, where nothing better is known. */
const RETRY_AFTER_SECONDS = 2;

/** Whether a client is to send the same request again. */
function saysTryAgain({ code }: SyncError): boolean {
  return code === 'busy' || code === 'unavailable' || code === 'shutting_down';
}

/** After how many seconds, where the client is to send the same request again. */
export function retryAfter(error: SyncError): number | undefined {
  return error.retryAfterSeconds ?? (saysTryAgain(error) ? RETRY_AFTER_SECONDS : undefined);
}

/**
 * What a log may say of an unexpected error: its name, code and place. The message of a database or parser error
 * holds keys and values of documents, so it stays out.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  const code = isObject(error) && typeof error['code'] === 'number' ? ` ${error['code']}` : '';
  const message = mayHoldData(error) ? '' : `: ${error.message}`;
  const frames = (error.stack ?? '').split('\n').filter((line) => line.trimStart().startsWith('at '));
  return [`${error.name}${code}${message}`, ...frames].join('\n');
}

function mayHoldData(error: Error): boolean {
  const safe = ['TypeError', 'RangeError', 'ReferenceError', 'SyncError'];
  return !safe.includes(error.name);
}

/** What a client is told of an error of its request, and what the log is told of it. */
export interface ToldFailure {
  readonly told: SyncError;
  readonly log?: { readonly level: 'warn' | 'error'; readonly text: string };
}

/**
 * By every door the same: what was not foreseen becomes `internal` with a correlation id, which the log has too, with the
 * place.
 *
 * @param newId a fresh correlation id
 */
export function toldFailure(error: unknown, newId: () => string): ToldFailure {
  if (error instanceof SyncError)
    return error.status === 500
      ? { told: error, log: { level: 'error', text: describeFailure(error) } }
      : { told: error };
  const refusal = hostRefusal(error);
  if (refusal) return { told: refusal };
  if (isPassing(error))
    return {
      told: new SyncError('unavailable', 'The database is out of reach at the moment. Try again shortly.'),
      log: { level: 'warn', text: `The database is out of reach: ${describeFailure(error)}` },
    };
  const id = newId();
  return {
    told: new SyncError(
      'internal',
      `The server met an unexpected error. Its operator finds it in the log as ${id}.`,
    ),
    log: { level: 'error', text: `Unexpected error ${id}: ${describeFailure(error)}` },
  };
}

/**
 * What the client of a socket may know of an error: the same code as over HTTP, where a socket can say it. A guard of the app that
 * refuses for another reason (402, for example) does not let the socket pass; one that fails is asked again later. Texts of
 * unknown errors stay inside.
 */
export function asSocketError(error: unknown): SyncError {
  if (isPassing(error))
    return new SyncError('unavailable', 'The database is out of reach at the moment. Try again shortly.');
  const refusal = error instanceof SyncError ? hostRefusal(error.cause) && error : hostRefusal(error);
  if (!refusal)
    return error instanceof SyncError
      ? error
      : new SyncError('internal', 'Something went wrong in the server.');
  switch (refusal.code) {
    case 'malformed_request':
    case 'payload_too_large':
      return new SyncError('forbidden', 'The guard of the app does not let this socket pass.');
    case 'internal':
      return new SyncError('unavailable', 'The credentials could not be checked. Try again later.');
    default:
      return refusal;
  }
}
