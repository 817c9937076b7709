import { dataPath, SyncError, type JsonObject, type Rejection } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import mongoose, { type Schema } from 'mongoose';
import { compareCast, UNKNOWN, withBytes, type Difference, type Path } from './cast-comparison';
import type { Prepared } from './collection';
import {
  verdictAsNew,
  type CastOutcome,
  type Problem,
  type SchemaRules,
  type Checked,
  type DocumentIds,
} from '../plan/document-form';
import { isPassing } from '../database/errors';
import type { FailureReport } from './answers';
import {
  asStored,
  castErrors,
  observeSubdocuments,
  plainCopy,
  resultOf,
  validateNow,
  type AnyDocument,
  type AnyModel,
} from './model-document';
import { dropPlaceholders } from './model-document';
import { asksApp, asksNothing, hasSetters } from './schema-facts';
import { SchemaStamp } from './schema-stamp';
import { fit } from './schema-fit';
import { isOwnText, validationRejection, type PathError } from './validation-message';

/** What came in, and what the model is given of it: values of the schema where the app writes, else JSON. */
export interface Incoming {
  readonly sent: JsonObject;
  readonly values: object;
  /** The values are those of a Mongoose document: its setters have run. */
  readonly isSet?: boolean;
}

/**
 * Casts and validates by a Mongoose model as `new Model(data)`, loading, setting and `validate()` do: setters, defaults,
 * validators, validate hooks. Save hooks do not run. What a cast would lose or bend is refused (see {@link compareCast}).
 *
 * The cast comes first and knows no stored document; {@link check} and {@link verify} then ask the schema's rules about
 * a document that is to be stored: as a new one, or as one that exists.
 */
export class SchemaCast implements SchemaRules {
  readonly asksApp: boolean;
  readonly asksNothing: boolean;
  readonly hasSetters: boolean;
  readonly refusesImmutable: boolean;
  private readonly stamps: SchemaStamp;
  private readonly defaultTexts = new Set(
    Object.values(
      mongoose.Error.messages as unknown as Record<string, Record<string, string> | null>,
    ).flatMap((group) => Object.values(group ?? {})),
  );

  constructor(
    private readonly model: AnyModel,
    private readonly unknownFields: 'reject' | 'strip',
    private readonly report: FailureReport,
  ) {
    this.asksApp = asksApp(model.schema);
    this.asksNothing = asksNothing(model.schema);
    this.hasSetters = hasSetters(model.schema);
    this.refusesImmutable = model.schema.get('strict') === 'throw';
    this.stamps = new SchemaStamp(model.schema, () => model.base.now());
  }

  /**
   * @param asNew ask the schema's rules too, as about a new document; the app's own functions, if any, are waited for
   * @throws what the database throws while validators or hooks ask it; never for bad data
   */
  cast(ids: DocumentIds, incoming: Incoming, asNew: boolean): Prepared | Promise<Prepared> {
    let prepared: Extract<Prepared, { ok: true }>;
    let one: AnyDocument;
    try {
      ({ prepared, one } = this.castOrThrow(ids, incoming));
    } catch (error) {
      if (isPassing(error)) throw error;
      return { ok: false, rejection: this.rejectionOf(error) };
    }
    const judgedAsNew = (checked: Checked): Prepared => ({
      ok: true,
      document: prepared.document,
      content: {
        sent: incoming.sent,
        problems: prepared.content?.problems ?? [],
        verdicts: [verdictAsNew(checked)],
      },
    });
    if (!this.asksApp) {
      // Most data is good: the document of the cast says so at once.
      const isGood = !prepared.content?.problems.length && !this.failureOf(ids, one);
      return judgedAsNew(
        isGood ? { ok: true, document: prepared.document } : this.check(ids, prepared.document, undefined),
      );
    }
    if (!asNew || prepared.content?.problems.length) return prepared;
    return this.verify(ids, prepared.document, undefined).then(judgedAsNew);
  }

  castWire(ids: DocumentIds, wire: JsonObject): CastOutcome {
    return this.attempt(() => {
      const { document, content } = this.castOrThrow(ids, { sent: wire, values: wire }).prepared;
      return { ok: true, document, problems: content?.problems ?? [] };
    });
  }

  check(ids: DocumentIds, document: StoredDocument, current: StoredDocument | undefined): Checked {
    return this.attempt(() => {
      const failure = this.failureOf(ids, this.load(ids, document, current));
      return failure ? { ok: false, rejection: this.rejectionOf(failure) } : { ok: true, document };
    });
  }

  /**
   * Asks all rules, the app's own functions among them, and takes what hooks made of the document.
   *
   * @throws what the database throws while validators or hooks ask it; never for bad data
   */
  async verify(
    ids: DocumentIds,
    document: StoredDocument,
    current: StoredDocument | undefined,
  ): Promise<Checked> {
    try {
      const one = this.load(ids, plainCopy(document), current);
      observeSubdocuments(one);
      await one.validate({ pathsToSkip: pathsToSkip(ids) });
      const failure = this.checkWireId(ids);
      if (failure) throw failure;
      return { ok: true, document: asStored(one, document) };
    } catch (error) {
      if (isPassing(error)) throw error;
      return { ok: false, rejection: this.rejectionOf(error) };
    }
  }

  revive(wire: JsonObject): StoredDocument {
    return asStored(this.model.hydrate(wire), wire);
  }

  stamp(document: StoredDocument, current: StoredDocument | undefined): StoredDocument {
    return this.stamps.stamp(document, current);
  }

  /** The stored document as the app itself would load it. */
  hydrate(stored: StoredDocument): AnyDocument {
    return this.model.hydrate(stored);
  }

  private attempt<T>(run: () => T): T | { readonly ok: false; readonly rejection: Rejection } {
    try {
      return run();
    } catch (error) {
      if (isPassing(error)) throw error;
      return { ok: false, rejection: this.rejectionOf(error) };
    }
  }

  private castOrThrow(
    ids: DocumentIds,
    { sent, values, isSet = false }: Incoming,
  ): { readonly prepared: Extract<Prepared, { ok: true }>; readonly one: AnyDocument } {
    const { schema } = this.model;
    const { data, virtual, aside, strays } = fit(schema, values);
    let made = this.make(ids, data, isSet);
    let comparison = compareCast(sent, made.result);
    if (comparison.binaries.length > 0 && values === sent) {
      made = this.make(ids, withBytes(data, comparison.binaries), isSet);
      comparison = compareCast(sent, made.result);
    }
    const problems =
      comparison.differences.length > 0 || comparison.hasOtherLength
        ? castErrors(made.document).map(([path, error]) => this.castProblem(path, error))
        : [];
    for (const path of strays) problems.push(stray(path));
    for (const difference of comparison.differences) {
      if (Object.hasOwn(aside, difference.path[0] ?? '')) continue;
      const rejection = this.judge(made.document.schema, difference, virtual);
      if (rejection) problems.push({ path: difference.path, rejection });
    }
    const document = { ...made.result, ...aside };
    delete document['_id'];
    if (schema.get('minimize') !== false) dropPlaceholders(document, sent);
    this.stamps.stampChildren(document);
    const content = { sent, problems, verdicts: [] };
    return { prepared: { ok: true, document, content }, one: made.document };
  }

  private castProblem(path: string, error: PathError): Problem {
    return { path: path.split('.'), rejection: this.problemOf({ [path]: error }) };
  }

  private make(
    ids: DocumentIds,
    data: object,
    isSet: boolean,
  ): { document: AnyDocument; result: StoredDocument } {
    const given = { ...data, _id: ids.storedId };
    const document = isSet ? this.model.hydrate(given) : new this.model(given);
    return { document, result: resultOf(document) };
  }

  private failureOf(ids: DocumentIds, one: AnyDocument): Error | undefined {
    return validateNow(one, { pathsToSkip: pathsToSkip(ids) }) ?? this.checkWireId(ids);
  }

  /** With scoped ids the validators of `_id` see the id that the wire shows; everything else sees the stored one. */
  private checkWireId(ids: DocumentIds): Error | undefined {
    return isScoped(ids) ? validateNow(new this.model({ _id: ids.wireId }), ['_id']) : undefined;
  }

  /** A document that is to be stored: new, or loaded and edited. */
  private load(
    { storedId }: DocumentIds,
    document: StoredDocument,
    current: StoredDocument | undefined,
  ): AnyDocument {
    const stamped = this.stamps.stamp(document, current);
    const one = this.model.hydrate({ ...stamped, _id: storedId });
    if (!current) one.$isNew = true;
    for (const key of new Set([...Object.keys(stamped), ...Object.keys(current ?? {})]))
      if (!current || stamped[key] !== current[key]) one.markModified(key);
    return one;
  }

  private judge(
    schema: Schema,
    { path, wants }: Difference,
    virtual: ReadonlySet<string>,
  ): Rejection | undefined {
    const name = path.join('.');
    if (wants !== UNKNOWN)
      return { code: 'validation_failed', message: `${dataPath(path)}: must be ${wants}.` };
    if (!virtual.has(name)) {
      const type = schema.pathType(name);
      // A field that the schema has and a setter emptied.
      if (type === 'real') return undefined;
      if (type === 'nested')
        return { code: 'validation_failed', message: `${dataPath(path)}: must be an object.` };
    }
    return this.unknownFields === 'strip' ? undefined : unknownField(path);
  }

  private problemOf(errors: Record<string, PathError>): Rejection {
    return validationRejection(errors, (path, one) => this.ownText(path, one));
  }

  private rejectionOf(error: unknown): Rejection {
    if (error instanceof SyncError) return { code: error.code, message: error.message };
    if (error instanceof mongoose.Error.ValidationError) {
      const errors = error.errors as unknown as Record<string, PathError>;
      for (const { reason } of Object.values(errors)) if (isPassing(reason)) throw reason;
      return this.problemOf(errors);
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

function isScoped({ storedId, wireId }: DocumentIds): boolean {
  return typeof storedId === 'string' && storedId !== wireId;
}

function pathsToSkip(ids: DocumentIds): string[] {
  return isScoped(ids) ? ['_id'] : [];
}

function stray(path: string): Problem {
  const steps = path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step));
  return {
    path: steps,
    rejection: { code: 'validation_failed', message: `${dataPath(steps)}: must be an object.` },
  };
}

function unknownField(path: Path): Rejection {
  return {
    code: 'unknown_field',
    message: `${dataPath(path)} is not a field of this collection: remove it, or add it to the schema.`,
  };
}
