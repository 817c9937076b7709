import { StorageFailedError, StorageFullError } from '../errors.ts';

/** What an error of a driver is told as. They have no common codes, so what SQLite says counts. */
export function storageError(error: unknown): Error {
  return says(error, /SQLITE_FULL|database or disk is full/)
    ? new StorageFullError(error)
    : new StorageFailedError(error);
}

/** Another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return says(error, /SQLITE_BUSY|SQLITE_LOCKED|database (table )?is locked/);
}

function says(error: unknown, pattern: RegExp): boolean {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return pattern.test(`${String(code)} ${String(message)}`);
}
