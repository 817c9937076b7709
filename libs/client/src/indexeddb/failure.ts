import { StorageFailedError, StorageFullError, StorageOutdatedError } from '../errors.ts';

/** What an error of IndexedDB is told as. */
export function storageError(error: unknown): Error {
  switch (nameOf(error)) {
    case 'QuotaExceededError':
      return new StorageFullError(error);
    case 'VersionError':
      return new StorageOutdatedError(error);
    case 'ReadOnlyError':
      return new Error('A transaction that reads may not write: begin it with "write" or "durable".');
    case 'TransactionInactiveError':
      return new Error(
        'The transaction is over: await its operations, and nothing else, inside of the body.',
      );
    default:
      return new StorageFailedError(error);
  }
}

/**
 * Whether the connection may be what failed: the browser closes one when its process for storage dies, when it needs the
 * memory, and in Safari after a while in the background. There is no name for it that all browsers use.
 */
export function isDisconnected(error: unknown): boolean {
  return ['AbortError', 'InvalidStateError', 'UnknownError'].includes(nameOf(error));
}

function nameOf(error: unknown): string {
  return (error as { name?: string } | null)?.name ?? '';
}
