import type { Rejection } from 'nest-offline-sync-protocol';
import { isAboutDocument, MONGO_CODES } from '../database/errors';
import type { Plan, Writer } from '../plan/plan';

/** What the database says of one refused statement of a write. */
export interface WriteFailure {
  /** Of the statement, in the order in which they were given. */
  readonly index: number;
  readonly code: number;
  readonly message: string;
  readonly keyPattern: Readonly<Record<string, unknown>>;
}

/**
 * The database refused one document (a unique index, a validator of the collection, an index that cannot take it). The
 * transaction is gone; the change is answered with the rejection, the rest is planned again.
 */
export class RefusedWrite extends Error {
  override readonly name = 'RefusedWrite';

  /**
   * @param plan what was being written, where others of its documents may be refused too
   */
  constructor(
    readonly writer: Writer,
    readonly rejection: Rejection,
    readonly plan?: Plan,
  ) {
    super(rejection.message);
  }

  /** Whether it was the document alone, and not what else is stored: then the same is refused wherever it is tried. */
  get isOfDocument(): boolean {
    const { code } = this.rejection;
    return code === 'refused_by_database' || code === 'validation_failed';
  }

  /** Whether another document has the value. */
  get isOfValue(): boolean {
    const { code } = this.rejection;
    return code === 'unique_violation' || code === 'id_unavailable';
  }
}

export const TOO_LARGE: Rejection = {
  code: 'document_too_large',
  message:
    'The document would be larger than the 16 MB that MongoDB takes; make it smaller and send it again.',
};

export const NOT_UNIQUE: Rejection = {
  code: 'unique_violation',
  message: 'A field that must be unique has a value that is taken already; change it and send it again.',
};

export const INVALID: Rejection = {
  code: 'validation_failed',
  message:
    'The document does not satisfy the validation rules of its collection; correct it and send it again.',
};

export const CANNOT_BE_STORED: Rejection = {
  code: 'refused_by_database',
  message:
    'MongoDB cannot store this document, because it is nested too deeply or has a value without a BSON form; change it and send it again.',
};

/**
 * What the change is answered whose document the database has refused; undefined when it was not about the document.
 * The answer never holds the server's text: it names other people's keys.
 */
export function rejectionFor({ code, keyPattern, message }: WriteFailure): Rejection | undefined {
  if (!isAboutDocument(code)) return undefined;
  if (code === MONGO_CODES.DuplicateKey) {
    const ofId = Object.keys(keyPattern).join() === '_id' || message.includes('index: _id_ ');
    return ofId
      ? { code: 'id_unavailable', message: 'This doc_id cannot be used here; choose another one.' }
      : NOT_UNIQUE;
  }
  if (code === MONGO_CODES.DocumentValidationFailure) return INVALID;
  return {
    code: 'refused_by_database',
    message: `The database cannot take this document (MongoDB's code ${code}): an index or a rule of its collection does not allow one of its values; change it and send it again.`,
  };
}

/** How many levels a stored document may have, itself counted. */
const MOST_LEVELS = 181;

/** Whether a document has more levels than MongoDB stores. Never looks further down than that. */
export function isTooDeep(value: unknown, levels = MOST_LEVELS): boolean {
  if (typeof value !== 'object' || value === null || isLeaf(value)) return false;
  if (levels === 0) return true;
  const items: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return items.some((item) => isTooDeep(item, levels - 1));
}

function isLeaf(value: object): boolean {
  return '_bsontype' in value || value instanceof Date || ArrayBuffer.isView(value);
}
