import mongoose, { type HydratedDocument, type Model, type Schema } from 'mongoose';
import { SyncError, type Rejection } from '../protocol/errors';
import type { JsonObject } from '../protocol/json';
import {
  compareCast,
  UNKNOWN,
  type BinaryText,
  type Comparison,
  type Difference,
  type Path,
} from './cast-comparison';
import type { Prepared, StoredDocument, StoredId } from './collection';
import { dataPath } from './document-rules';
import { isDatabaseFailure, type FailureReport } from './failure';
import { dropPlaceholders } from './placeholders';
import { isOwnText, validationRejection, type PathError } from './validation-message';

export type AnyModel = Model<Record<string, unknown>>;
type AnyDocument = HydratedDocument<Record<string, unknown>>;

/** What a model made of the data; with a discriminator, the schema is that one's. */
interface Stored {
  readonly schema: Schema;
  readonly result: StoredDocument;
}
interface Attempt extends Stored {
  readonly failure: unknown;
}

/** Every option is said, because the schema's own toObject options (virtuals, a transform) would fill the gaps. */
const AS_STORED = {
  depopulate: true,
  flattenMaps: true,
  flattenObjectIds: false,
  flattenUUIDs: false,
  flattenDecimals: false,
  getters: false,
  virtuals: false,
  aliases: false,
  transform: false,
  minimize: false,
  versionKey: true,
  useProjection: false,
} as const;

/**
 * Casts and validates by a Mongoose model, with all that `new Model(data)` and `validate()` do: setters, defaults,
 * validators, validate hooks, timestamps (`updatedAt` is now; `createdAt` too, unless the data has it). Save hooks
 * do not run. What a cast would lose or bend is refused (see {@link compareCast}).
 */
export class SchemaCast {
  private readonly defaultTexts = new Set(
    Object.values(
      mongoose.Error.messages as unknown as Record<string, Record<string, string> | null>,
    ).flatMap((group) => Object.values(group ?? {})),
  );

  constructor(
    private readonly model: AnyModel,
    private readonly unknownFields: 'reject' | 'strip',
    private readonly report: FailureReport,
  ) {}

  /**
   * @param id what validators of `_id` see; it is not part of the result
   * @throws what the database throws while validators or hooks ask it; never for bad data
   */
  async cast(id: StoredId, data: JsonObject): Promise<Prepared> {
    try {
      return await this.castOrThrow(id, data);
    } catch (error) {
      if (isDatabaseFailure(error)) throw error;
      return { ok: false, rejection: this.rejectionOf(error) };
    }
  }

  private async castOrThrow(id: StoredId, data: JsonObject): Promise<Prepared> {
    let attempt = await this.attempt(id, data);
    if (attempt.failure !== undefined || !isFaithful(compareCast(data, attempt.result))) {
      // Judge the cast alone, before validators and hooks had a hand in it.
      const { schema, result } = asStored(this.hydrate(id, data));
      const { differences, binaries } = compareCast(data, result);
      for (const difference of differences) {
        const rejection = this.judge(schema, difference);
        if (rejection) return { ok: false, rejection };
      }
      if (binaries.length > 0) attempt = await this.attempt(id, withBytes(data, binaries));
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- the database's own error goes on unchanged
      if (attempt.failure !== undefined) throw attempt.failure;
    }
    const { schema, result } = attempt;
    delete result._id;
    if (schema.get('minimize') !== false) dropPlaceholders(result, data);
    this.model.applyTimestamps(result);
    return { ok: true, document: result };
  }

  /** One full run of the model. For data without binary fields it is the only one. */
  private async attempt(id: StoredId, data: object): Promise<Attempt> {
    const document = this.hydrate(id, data);
    observeSubdocuments(document);
    let failure: unknown;
    try {
      await document.validate();
    } catch (error) {
      failure = error;
    }
    return { ...asStored(document), failure };
  }

  /** Values that cannot be cast are missing here; `validate` tells of them. */
  private hydrate(id: StoredId, data: object): AnyDocument {
    return new this.model({ ...data, _id: id });
  }

  private judge(schema: Schema, { path, wants }: Difference): Rejection | undefined {
    if (wants !== UNKNOWN)
      return { code: 'validation_failed', message: `${dataPath(path)}: must be ${wants}.` };
    switch (schema.pathType(path.join('.'))) {
      case 'real':
        // A field that the schema has and a setter emptied.
        return undefined;
      case 'nested':
        return { code: 'validation_failed', message: `${dataPath(path)}: must be an object.` };
      default:
        return this.unknownFields === 'strip' ? undefined : unknownField(path);
    }
  }

  private rejectionOf(error: unknown): Rejection {
    if (error instanceof SyncError) return { code: error.code, message: error.message };
    if (error instanceof mongoose.Error.ValidationError) {
      const errors = error.errors as unknown as Record<string, PathError>;
      for (const { reason } of Object.values(errors)) if (isDatabaseFailure(reason)) throw reason;
      return validationRejection(errors, (path, one) => this.ownText(path, one));
    }
    if (error instanceof mongoose.Error.StrictModeError) return unknownField(error.path.split('.'));
    this.report('the model', error);
    return { code: 'validation_failed', message: "data was refused by the collection's model." };
  }

  private ownText(path: string, error: PathError): string | undefined {
    if (error.reason !== undefined) return undefined;
    const validators = this.model.schema.path(path)?.validators ?? [];
    const validator = validators.find((one) => one.validator === error.properties?.validator);
    return isOwnText(validator?.message, this.defaultTexts) ? error.message : undefined;
  }
}

function asStored(document: AnyDocument): Stored {
  return { schema: document.schema, result: document.toObject(AS_STORED) };
}

function isFaithful({ differences, binaries }: Comparison): boolean {
  return differences.length === 0 && binaries.length === 0;
}

function unknownField(path: Path): Rejection {
  return {
    code: 'unknown_field',
    message: `${dataPath(path)} is not a field of this collection: remove it, or add it to the schema.`,
  };
}

/** The data with bytes in the place of their texts. */
function withBytes(data: JsonObject, binaries: readonly BinaryText[]): object {
  const copy = structuredClone(data) as object;
  for (const { path, bytes } of binaries) {
    let place = copy as Record<string | number, unknown>;
    for (const step of path.slice(0, -1)) place = place[step] as Record<string | number, unknown>;
    const last = path.at(-1);
    if (last !== undefined) place[last] = bytes;
  }
  return copy;
}

/**
 * Mongoose validates the elements of a document array side by side. When a later one throws at once (a `false` or ''
 * among objects), nobody waits for the earlier ones any more, and the rejection of one of them ends the process. So
 * each is observed here; Mongoose still gets the same promise.
 */
function observeSubdocuments(document: AnyDocument): void {
  for (const subdocument of document.$getAllSubdocs()) {
    const validate = subdocument.validate.bind(subdocument) as (...given: unknown[]) => Promise<void>;
    subdocument.validate = (...given: unknown[]): Promise<void> => {
      const validated = validate(...given);
      validated.catch(() => undefined);
      return validated;
    };
  }
}
