import { isObject, SyncError, type ErrorCode } from 'nest-offline-sync-protocol';

/** Statuses by which a host says that the same request may pass later, and with whom that lies: its load, or its parts. */
const TRY_AGAIN: Readonly<Partial<Record<number, ErrorCode>>> = {
  408: 'busy',
  423: 'busy',
  425: 'busy',
  429: 'busy',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

/** The code for a status that the app's own code chose. */
function codeForStatus(status: number): ErrorCode {
  switch (status) {
    case 401:
      return 'unauthenticated';
    case 403:
      return 'forbidden';
    case 413:
      return 'payload_too_large';
    default:
      return TRY_AGAIN[status] ?? (status < 500 ? 'malformed_request' : 'internal');
  }
}

/**
 * What the host's own code (a guard, a throttler, an interceptor) has refused a request with, as the engine says it:
 * the host's status, the code for it, the host's words. Knows the HttpExceptions of any copy of Nest, and errors as
 * `http-errors` and Fastify make them.
 *
 * @returns undefined for what is no refusal, but an error that nobody foresaw
 */
export function hostRefusal(error: unknown): SyncError | undefined {
  if (typeof error !== 'object' || error === null || error instanceof SyncError) return undefined;
  const given = error as HttpErrorLike;
  const fromNest = typeof given.getStatus === 'function' && typeof given.getResponse === 'function';
  const status: unknown = fromNest ? given.getStatus() : isHttpError(given) ? given.statusCode : undefined;
  if (!Number.isInteger(status) || Number(status) < 300 || Number(status) > 599) return undefined;
  const code = codeForStatus(Number(status));
  // What says of itself that its text is for the log only, is one of the unforeseen.
  if (!fromNest && code === 'internal') return undefined;
  const body: unknown = fromNest ? given.getResponse() : undefined;
  return new SyncError(code, wordsOf(given, body), {
    status: Number(status),
    retryAfterSeconds: retryAfterOf(given, body),
    cause: error,
  });
}

interface HttpErrorLike {
  getStatus(): unknown;
  getResponse(): unknown;
  readonly message?: unknown;
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly expose?: unknown;
  readonly code?: unknown;
}

/** By the signs that Nest knows them by: a status alone is also on errors of other servers that the app has asked. */
function isHttpError(error: HttpErrorLike): boolean {
  const { expose, status, statusCode, code, message } = error;
  if (error instanceof Error)
    return (
      (typeof expose === 'boolean' && status === statusCode) ||
      (typeof code === 'string' && code.startsWith('FST_'))
    );
  return typeof message === 'string' && statusCode !== undefined;
}

/** The words that the host meant for the client; several of them as a ValidationPipe gives them. */
function wordsOf({ message, expose }: HttpErrorLike, body: unknown): string {
  const told = isObject(body) ? body['message'] : body;
  const words = Array.isArray(told) ? told.filter((one) => typeof one === 'string').join('; ') : told;
  if (typeof words === 'string' && words !== '') return words;
  return expose !== false && typeof message === 'string' ? message : 'The app refused the request.';
}

/** Whole seconds, where the error says when to come back: as a field, or in the headers that it wants to be sent. */
function retryAfterOf(error: object, body: unknown): number | undefined {
  for (const source of [error, body]) {
    if (!isObject(source)) continue;
    const headers = isObject(source['headers']) ? source['headers'] : {};
    for (const value of [
      source['retryAfterSeconds'],
      source['retryAfter'],
      source['retry_after'],
      headers['Retry-After'],
      headers['retry-after'],
    ]) {
      const seconds = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
      if (typeof seconds === 'number' && seconds >= 0 && seconds < 1e9) return Math.ceil(seconds);
    }
  }
  return undefined;
}
