import { SyncError } from 'nest-offline-sync';
import { DataFolderInUseError, MongodNotFoundError } from 'nest-offline-sync-embedded-mongo';
import { EnvironmentError } from '../config/environment';
import { variableOf } from '../config/sync-options';

/** Why the demo did not start, and what to do about it, without a stack where it would not help. */
export function explainFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof EnvironmentError || error instanceof WorkerEndedError) return error.message;
  if (error instanceof DataFolderInUseError || error instanceof MongodNotFoundError) return error.message;
  if (error instanceof SyncError && error.code === 'configuration') return withVariable(error);
  if ('code' in error && error.code === 'EADDRINUSE' && 'port' in error)
    return `Port ${String(error.port)} is taken: stop what listens there, or set PORT to another one (PORT=3001 npm start).`;
  if (/^Mongo(ose)?ServerSelectionError$/.test(error.name))
    return `MONGODB_URI: no usable server answers there (${error.message}).`;
  return error.stack ?? error.message;
}

/** The worker itself has printed why it could not start. */
export class WorkerEndedError extends Error {
  override readonly name = 'WorkerEndedError';
}

/** The library's messages name options; here people set variables. */
function withVariable({ message, path }: SyncError): string {
  const variable = path === undefined ? undefined : variableOf(path);
  return variable === undefined ? message : `${variable}: ${message}`;
}
