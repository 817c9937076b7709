/**
 * What users of the client catch. Each has a stable `code`, and a message that says what was wrong and what to do. None holds
 * data of documents or a token.
 */
export abstract class ClientError extends Error {
  abstract readonly code: string;

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
  }
}

/** The device has no room. Nothing of the write was kept. */
export class StorageFullError extends ClientError {
  readonly code = 'storage_full';

  constructor(cause?: unknown) {
    super(
      'There is no room on this device, so nothing of this change was kept. Free some space, then make the change again.',
      cause,
    );
  }
}

/** The database cannot be used any more: removed, cleared, closed, or upgraded by a newer version of the app. */
export class StorageLostError extends ClientError {
  readonly code = 'storage_lost';

  /** @param reason what happened to the database, as a part of a sentence: `it was closed` */
  constructor(reason: string, cause?: unknown) {
    super(`The database of this device cannot be used any more: ${reason}. Open the client again.`, cause);
  }
}

/** A newer version of the app has written the database. Nothing in it was touched. */
export class StorageOutdatedError extends ClientError {
  readonly code = 'storage_outdated';

  constructor(cause?: unknown) {
    super(
      'A newer version of this app has written the data on this device. Update or reload the app; nothing is lost.',
      cause,
    );
  }
}

/** The storage failed in a way that has no other name. Nothing of the write was kept. */
export class StorageFailedError extends ClientError {
  readonly code = 'storage_failed';

  constructor(cause: unknown) {
    super(
      `The storage of this device failed: ${cause instanceof Error ? cause.message : String(cause)}. Nothing of this change was kept; make it again.`,
      cause,
    );
  }
}

/**
 * There is no token, or it does not say whose it is. Nothing is dropped because of it. `auth.token` may throw one itself: the user has to
 * log in.
 */
export class AuthError extends ClientError {
  readonly code = 'auth';

  /** @param isPassing there may be one later without the user, as when the device is offline */
  constructor(
    message: string,
    cause?: unknown,
    readonly isPassing = false,
  ) {
    super(message, cause);
  }
}

/** What is wrong with a document, and where. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** An edit that cannot be made of the document as it is on this device. Nothing was changed. */
export class InvalidEditError extends ClientError {
  constructor(
    readonly code:
      'document_exists' | 'document_missing' | 'patch_mismatch' | 'invalid_data' | 'schema_failed',
    message: string,
    /** What the schema of the collection says, if it was asked. */
    readonly issues: readonly SchemaIssue[] = [],
    cause?: unknown,
  ) {
    super(message, cause);
  }
}

/** The user has logged out, in this tab or another one: nothing more of this user is read, written or sent. */
export class LoggedOutError extends ClientError {
  readonly code = 'logged_out';

  constructor() {
    super('The user has logged out. Nothing of this change was kept; open the client again after a login.');
  }
}

/** Another tab has taken over. What was on its way was not kept; the other one does it. */
export class FencedError extends ClientError {
  readonly code = 'fenced';

  constructor() {
    super('Another tab of this app syncs this data now.');
  }
}

/** An option cannot work, or a function among them gave what it must not give. Correct the code: nothing was done. */
export class ConfigurationError extends ClientError {
  readonly code = 'configuration';

  constructor(
    /** Which: `collections.tasks.indexes`. */
    readonly path: string,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause);
  }
}

/** A call that makes no sense just now. */
export class UsageError extends ClientError {
  readonly code = 'usage';
}

/** There are changes that the server has not taken, and `logout` was not told what to do with them. */
export class UnsentChangesError extends ClientError {
  readonly code = 'unsent_changes';

  constructor(readonly count: number) {
    super(
      `${count} changes are not on the server: they were not sent yet, or refused. Decide about refused ones, or call logout with unsent: "flush" (send first), "keep" (until this user is back) or "discard".`,
    );
  }
}
