/** The codes of MongoDB that decide something here, by its own names. */
export const MONGO_CODES = {
  InternalError: 1,
  BadValue: 2,
  HostUnreachable: 6,
  HostNotFound: 7,
  Unauthorized: 13,
  Overflow: 15,
  AuthenticationFailed: 18,
  LockTimeout: 24,
  NamespaceNotFound: 26,
  CursorNotFound: 43,
  NamespaceExists: 48,
  MaxTimeMSExpired: 50,
  CommandNotFound: 59,
  WriteConcernTimeout: 64,
  InvalidNamespace: 73,
  UnknownReplWriteConcern: 79,
  IndexOptionsConflict: 85,
  IndexKeySpecsConflict: 86,
  NetworkTimeout: 89,
  ShutdownInProgress: 91,
  UnsatisfiableWriteConcern: 100,
  WriteConflict: 112,
  DocumentValidationFailure: 121,
  FailedToSatisfyReadPreference: 133,
  ReadConcernMajorityNotAvailableYet: 134,
  StaleEpoch: 150,
  CommandNotSupportedOnView: 166,
  OptionNotSupportedOnView: 167,
  QueryPlanKilled: 175,
  PrimarySteppedDown: 189,
  NetworkInterfaceExceededTimeLimit: 202,
  TransactionTooOld: 225,
  CannotImplicitlyCreateCollection: 227,
  CursorKilled: 237,
  SnapshotTooOld: 239,
  SnapshotUnavailable: 246,
  StaleDbVersion: 249,
  StaleChunkHistory: 250,
  NoSuchTransaction: 251,
  TransactionTooLarge: 257,
  ExceededTimeLimit: 262,
  OperationNotSupportedInTransaction: 263,
  TooManyFilesOpen: 264,
  PreparedTransactionInProgress: 267,
  MigrationConflict: 272,
  ClientDisconnect: 279,
  TransactionCoordinatorSteppingDown: 281,
  TransactionCoordinatorReachedAbortDecision: 282,
  TransactionExceededLifetimeLimitSeconds: 290,
  DataCorruptionDetected: 301,
  ConnectionPoolExpired: 317,
  APIVersionError: 322,
  APIStrictError: 323,
  APIDeprecationError: 324,
  APIMismatchError: 347,
  InterruptedDueToStorageChange: 355,
  InternalTransactionNotSupported: 358,
  TemporarilyUnavailable: 365,
  UserWritesBlocked: 371,
  ConnectionError: 384,
  TransactionTooLargeForCache: 388,
  ReauthenticationRequired: 391,
  ResourceExhausted: 402,
  PooledConnectionAcquisitionExceededTimeLimit: 407,
  AdmissionQueueOverflow: 433,
  RateLimitExceeded: 449,
  AtlasError: 8000,
  SocketException: 9001,
  LegacyNotPrimary: 10058,
  NotWritablePrimary: 10107,
  BSONObjectTooLarge: 10334,
  DuplicateKey: 11000,
  InterruptedAtShutdown: 11600,
  Interrupted: 11601,
  InterruptedDueToReplStateChange: 11602,
  StaleConfig: 13388,
  NotPrimaryNoSecondaryOk: 13435,
  NotPrimaryOrSecondary: 13436,
  OutOfDiskSpace: 14031,
} as const;

const C = MONGO_CODES;

/** The snapshot of a read is gone: it goes on with another read concern. They carry no label, and come in mid-stream too. */
const SNAPSHOT_LOST = new Set<number>([C.SnapshotTooOld, C.SnapshotUnavailable]);

/** A matter of the moment: the same thing may succeed when it is tried again. */
const PASSING = new Set<number>([
  // No server, no primary, a lost connection.
  ...[C.HostUnreachable, C.HostNotFound, C.NetworkTimeout, C.SocketException, C.ConnectionPoolExpired],
  ...[C.ConnectionError, C.FailedToSatisfyReadPreference, C.ShutdownInProgress, C.InterruptedAtShutdown],
  ...[C.PrimarySteppedDown, C.NotWritablePrimary, C.LegacyNotPrimary, C.NotPrimaryNoSecondaryOk],
  ...[C.NotPrimaryOrSecondary, C.InterruptedDueToReplStateChange, C.ReauthenticationRequired],
  // The majority is not there.
  ...[C.WriteConcernTimeout, C.UnsatisfiableWriteConcern, C.ReadConcernMajorityNotAvailableYet],
  // Ended from outside, or by a time limit.
  ...[C.MaxTimeMSExpired, C.ExceededTimeLimit, C.NetworkInterfaceExceededTimeLimit, C.Interrupted],
  ...[C.PooledConnectionAcquisitionExceededTimeLimit, C.ClientDisconnect, C.InterruptedDueToStorageChange],
  ...[C.TransactionExceededLifetimeLimitSeconds, C.TransactionCoordinatorSteppingDown],
  // A cursor that is gone: its reader stalled for ten minutes, or the primary changed.
  ...[C.CursorNotFound, C.CursorKilled, C.QueryPlanKilled, ...SNAPSHOT_LOST],
  // Two transactions met, or a shard moved.
  ...[C.WriteConflict, C.LockTimeout, C.NoSuchTransaction, C.TransactionTooOld, C.MigrationConflict],
  ...[C.PreparedTransactionInProgress, C.TransactionCoordinatorReachedAbortDecision, C.StaleConfig],
  ...[C.StaleEpoch, C.StaleDbVersion, C.StaleChunkHistory, C.InternalTransactionNotSupported],
  // More than the server can bear, or may take now.
  ...[C.TemporarilyUnavailable, C.ResourceExhausted, C.AdmissionQueueOverflow, C.RateLimitExceeded],
  C.UserWritesBlocked,
]);

/** Nothing is wrong with the document that meets one of these: any other would meet it too. */
const BROKEN = new Set<number>([
  ...[C.InternalError, C.Unauthorized, C.AuthenticationFailed, C.NamespaceNotFound, C.CommandNotFound],
  ...[C.InvalidNamespace, C.UnknownReplWriteConcern, C.CommandNotSupportedOnView],
  ...[C.OptionNotSupportedOnView, C.CannotImplicitlyCreateCollection, C.TransactionTooLarge],
  ...[C.OperationNotSupportedInTransaction, C.TooManyFilesOpen, C.DataCorruptionDetected],
  ...[C.APIVersionError, C.APIStrictError, C.APIDeprecationError, C.APIMismatchError],
  ...[C.TransactionTooLargeForCache, C.AtlasError, C.OutOfDiskSpace],
]);

/** Labels by which the server or the driver says the same. */
const PASSING_LABELS = [
  'TransientTransactionError',
  'UnknownTransactionCommitResult',
  'RetryableWriteError',
  'RetryableError',
  'ResumableChangeStreamError',
  'SystemOverloadedError',
];

/** How the driver, or Mongoose, names that no server could be asked. */
const OUT_OF_REACH =
  /^Mongo(ose)?(Network|ServerSelection|PoolCleared|WaitQueueTimeout|NotConnected)|^PoolCleared/;
/** The same for a client that is closing, and for a time limit of the whole client. */
const CLOSED = /^Mongo(TopologyClosed|ClientClosed|ServerClosed|PoolClosed|OperationTimeout)/;
/** Mongoose has one class for all; this is what it says of a connection that is not there yet. */
const NOT_CONNECTED_YET = /buffering timed out|before initial connection/;

/** Whether no server could be asked at all: the connection is lost, or there is no primary. */
export function isOutOfReach(error: unknown): boolean {
  return isSocketError(error) || (error instanceof Error && OUT_OF_REACH.test(error.name));
}

/** Whether an error says something of the moment and not of the data: wait and try again; a request is answered with 503. */
export function isPassing(error: unknown): boolean {
  if (isOutOfReach(error)) return true;
  if (!(error instanceof Error)) return false;
  if (CLOSED.test(error.name) || isStumble(error)) return true;
  if (error.name === 'MongooseError') return NOT_CONNECTED_YET.test(error.message);
  return PASSING.has(codeOf(error) ?? 0) || PASSING_LABELS.some((label) => hasErrorLabel(error, label));
}

/**
 * The driver (7.8) fails over a server that tells of its change of state in answer to a read of raw bytes: it takes those for the
 * topology's version, and compares the next one with them.
 */
function isStumble(error: Error): boolean {
  return error instanceof TypeError && /^\s+at compareTopologyVersion /m.test(error.stack ?? '');
}

/** Whether an error comes from the database or on the way to it, whatever it says. */
export function isDatabaseError(error: unknown): boolean {
  return isPassing(error) || (error instanceof Error && /^Mongo(?!ose)/.test(error.name));
}

/** Whether MongoDB no longer has the snapshot that a read wants. */
export function isSnapshotLoss(error: unknown): boolean {
  return SNAPSHOT_LOST.has(codeOf(error) ?? 0);
}

/**
 * Whether the whole transaction may be run again. Not when the outcome of its commit is unknown: it may have
 * happened, and a change without a mutation id would be doubled. Not for a time limit that the caller has set:
 * it would pass again.
 */
export function isRetryable(error: unknown): boolean {
  if (hasErrorLabel(error, 'UnknownTransactionCommitResult')) return false;
  if (hasErrorLabel(error, 'TransientTransactionError')) return true;
  if (isSocketError(error) || codeOf(error) === C.MaxTimeMSExpired) return false;
  return isOutOfReach(error) || PASSING.has(codeOf(error) ?? 0);
}

/**
 * Whether a failed commit may have happened all the same. The driver labels what came back from a server; it says
 * nothing when there is no server to ask again (a lost primary), though its first try may have arrived, and it fails
 * by itself, with a TypeError, over the bare error of a socket. A server that knows of no such transaction, but cannot
 * have that confirmed by the majority, may no longer be the primary: it sends its word without the transient label.
 */
export function mayBeCommitted(error: unknown): boolean {
  if (hasErrorLabel(error, 'TransientTransactionError')) return false;
  return isPassing(error) || error instanceof TypeError;
}

/**
 * Whether what the database says of one statement of a write concerns that statement's document, and no other: each
 * code that does not say otherwise does. MongoDB has hundreds of them (geometry, languages, parallel arrays, nesting, …).
 */
export function isAboutDocument(code: number): boolean {
  return !PASSING.has(code) && !BROKEN.has(code);
}

/** Whether an error may be that of one document: it says nothing of the moment, and others would not meet it. */
export function mayBeOfOne(error: unknown): boolean {
  return !isPassing(error) && isAboutDocument(codeOf(error) ?? 0);
}

/** Whether a unique index refuses a value. */
export function isDuplicateKey(error: unknown): boolean {
  return codeOf(error) === C.DuplicateKey;
}

/** The server's code of an error of the driver. Errors of others may have codes that are alike. */
export function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !/^Mongo(?!ose)/.test(error.name) || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}

/** The kind of an error, never its text beyond the server's own code: texts may hold documents. */
export function errorKind(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const code = 'codeName' in error ? error.codeName : 'code' in error ? error.code : undefined;
  return typeof code === 'string' || typeof code === 'number' ? `${error.name} ${code}` : error.name;
}

/** Whether an error of the driver or the server carries a label such as TransientTransactionError. */
function hasErrorLabel(error: unknown, label: string): boolean {
  if (!(error instanceof Error)) return false;
  const { hasErrorLabel: has } = error as { hasErrorLabel?: (label: string) => unknown };
  return typeof has === 'function' && has.call(error, label) === true;
}

const SOCKET_CODES = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT']);

/**
 * Whether this is the bare error of a Node socket whose connection broke. The driver lets one through, without its
 * own class, label or retry, when a connection breaks while a command is still being sent.
 */
export function isSocketError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  if (typeof error.code !== 'string' || !SOCKET_CODES.has(error.code)) return false;
  // A socket that the other side has ended refuses to write by itself: no call of the system is named then.
  const syscall = 'syscall' in error ? error.syscall : undefined;
  return syscall === 'write' || syscall === 'read' || (syscall === undefined && error.code === 'EPIPE');
}
