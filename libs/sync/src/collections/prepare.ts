import { dataPath, SyncError, type Json, type JsonObject, type Rejection } from 'nest-offline-sync-protocol';
import type { DocumentIds } from '../plan/document-form';
import type { SyncIdentity } from '../identity/identity';
import { isDeepStrictEqual } from 'node:util';
import { setField } from '../codec/stored-document';
import type { PatchPreparation } from '../plan/plan';
import { notADocument, notAPlainObject } from './answers';
import { appValues } from './app-values';
import type { Prepared } from './collection';
import { findHidden, type FieldFacts } from '../plan/field-facts';
import { checkDocument, type DocumentLimits } from './document-rules';
import { isPassing } from '../database/errors';
import type { FailureReport } from './answers';
import type { DocumentTransformFunction } from './ports';

/** What a collection does with the data of an upsert. A missing step keeps the data. */
export interface PreparationSteps {
  readonly collection: string;
  readonly limits: DocumentLimits;
  readonly unknownFields: 'reject' | 'strip';
  /** What never leaves the server, and so is nothing that a client can send. */
  readonly facts?: FieldFacts;
  /** The field that counts a document's edits; a client that still holds it from an earlier version may send it. */
  readonly versionKey?: string;
  readonly transform?: DocumentTransformFunction;
  /** With `changed`, other fields that it does not know are no matter. */
  readonly dto?: (
    data: JsonObject,
    changed?: ReadonlySet<string>,
  ) => Promise<{ ok: true; data: JsonObject } | { ok: false; rejection: Rejection }>;
  readonly schema?: (
    ids: DocumentIds,
    incoming: { readonly sent: JsonObject; readonly values: object; readonly isSet?: boolean },
    asNew: boolean,
  ) => Prepared | Promise<Prepared>;
  readonly report: FailureReport;
}

type Outcome = { ok: true; data: JsonObject } | { ok: false; rejection: Rejection };

/**
 * The way of a client's data: key and size checks, the transform and the checks again on what it returned, DTO,
 * schema. Never throws for bad data; throws what the database throws while the app's code asks it.
 */
export class Preparation {
  constructor(private readonly steps: PreparationSteps) {}

  prepare(
    identity: SyncIdentity,
    ids: DocumentIds,
    data: JsonObject,
    expectsNew: boolean,
  ): Prepared | Promise<Prepared> {
    const { limits, transform, dto, facts } = this.steps;
    const rejection = checkDocument(data, limits);
    if (rejection) return { ok: false, rejection };
    const visible = facts ? this.withoutHidden(facts, data) : ({ ok: true, data } as const);
    if (!visible.ok) return visible;
    return transform || dto
      ? this.byTheApp(identity, ids, visible.data, expectsNew)
      : this.toStored(ids, visible.data, visible.data, expectsNew);
  }

  /** Through the code that the app has given. */
  private async byTheApp(
    identity: SyncIdentity,
    ids: DocumentIds,
    data: JsonObject,
    expectsNew: boolean,
  ): Promise<Prepared> {
    const { transform, dto } = this.steps;
    let current = data;
    if (transform) {
      const transformed = await this.transform(transform, identity, ids, data);
      if (!transformed.ok) return transformed;
      current = transformed.data;
    }
    if (dto) {
      const checked = await this.attempt('the DTO', 'validation_failed', () => dto(current));
      if (!checked.ok) return checked;
      current = checked.data;
    }
    return this.toStored(ids, current, current, expectsNew);
  }

  /**
   * For a document as a patch leaves it: the transform gets and gives all of it, and the DTO judges all of it; but of the
   * fields that neither the patch nor the transform has changed, the DTO changes none and refuses none as unknown.
   */
  async preparePatched(
    identity: SyncIdentity,
    ids: DocumentIds,
    wire: JsonObject,
    touched: ReadonlySet<string>,
  ): Promise<PatchPreparation['outcome']> {
    const { transform, dto } = this.steps;
    let whole = wire;
    const changed = new Set(touched);
    if (transform) {
      const made = await this.transform(transform, identity, ids, wire);
      if (!made.ok) return made;
      whole = made.data;
      for (const key of new Set([...Object.keys(wire), ...Object.keys(whole)]))
        if (!isDeepStrictEqual(wire[key], whole[key])) changed.add(key);
    }
    if (!dto) return { ok: true, wire: whole };
    return this.attempt('the DTO', 'validation_failed', async () => {
      const judged = await dto(whole, changed);
      if (!judged.ok) return judged;
      const result: Record<string, Json> = { ...whole };
      for (const key of changed) {
        if (Object.hasOwn(judged.data, key)) setField(result, key, judged.data[key]);
        else Reflect.deleteProperty(result, key);
      }
      return { ok: true, wire: result };
    });
  }

  /**
   * For a resolver's document and the app's own writes, which may hold Dates, ObjectIds and other values of a stored
   * document, `_id` and `_sync_*` included. Its wire form is checked; the values are stored as they are.
   */
  async cast(ids: DocumentIds, data: object): Promise<Prepared> {
    const wrong = notADocument(data);
    if (wrong !== undefined)
      return refused(`data must be an object with the document's fields, not ${wrong}`);
    const given = appValues(data, this.steps.limits.maxDepth, this.steps.versionKey);
    const rejection = checkDocument(given.json, this.steps.limits);
    if (rejection) return { ok: false, rejection };
    const { wire: sent, values } = given;
    return this.steps.schema && isMongooseDocument(data)
      ? this.steps.schema(ids, { sent, values, isSet: true }, false)
      : this.toStored(ids, sent, values, false);
  }

  private toStored(
    ids: DocumentIds,
    sent: JsonObject,
    values: object,
    asNew: boolean,
  ): Prepared | Promise<Prepared> {
    const { schema, facts } = this.steps;
    if (schema) return schema(ids, { sent, values }, asNew);
    const document = values as Record<string, unknown>;
    return facts
      ? { ok: true, document, content: { sent, problems: [], verdicts: [] } }
      : { ok: true, document };
  }

  /** A client cannot know a hidden field: what it sends under that name is an unknown one. */
  private withoutHidden(facts: FieldFacts, data: JsonObject): Outcome {
    const { versionKey, unknownFields } = this.steps;
    let visible = data;
    if (versionKey !== undefined && Object.hasOwn(data, versionKey)) {
      const { [versionKey]: _, ...rest } = data;
      visible = rest;
    }
    let path = findHidden(facts, visible);
    if (!path) return { ok: true, data: visible };
    if (unknownFields === 'reject')
      return {
        ok: false,
        rejection: {
          code: 'unknown_field',
          message: `${dataPath(path)} is not a field that clients write: remove it.`,
        },
      };
    visible = structuredClone(visible);
    for (; path; path = findHidden(facts, visible)) {
      const last = path.at(-1);
      const place = path.slice(0, -1).reduce<unknown>((at, step) => Reflect.get(at as object, step), visible);
      if (last !== undefined) Reflect.deleteProperty(place as object, last);
    }
    return { ok: true, data: visible };
  }

  private async transform(
    transform: DocumentTransformFunction,
    identity: SyncIdentity,
    ids: DocumentIds,
    data: JsonObject,
  ): Promise<Outcome> {
    return this.attempt('the transform', 'invalid_data', async () => {
      // A copy: what arrived is also hashed to know a retry by, and a transform may write into its argument.
      const copy = structuredClone(data);
      const result = (await transform(this.steps.collection, copy, identity, ids.wireId)) ?? copy;
      const wrong = notAPlainObject(result);
      if (wrong !== undefined)
        return refused(`The transform of this collection gave ${wrong}, and no document`);
      const rejection = checkDocument(result, this.steps.limits);
      return rejection ? { ok: false, rejection } : { ok: true, data: result };
    });
  }

  /** Runs a step of the app's own code; what it throws rejects the change. */
  private async attempt<T>(
    step: string,
    code: 'invalid_data' | 'validation_failed',
    run: () => Promise<T>,
  ): Promise<T | { ok: false; rejection: Rejection }> {
    try {
      return await run();
    } catch (error) {
      if (isPassing(error)) throw error;
      if (error instanceof SyncError)
        return { ok: false, rejection: { code: error.code, message: error.message } };
      this.steps.report(step, error);
      return {
        ok: false,
        rejection: { code, message: `data was refused by ${step} of this collection.` },
      };
    }
  }
}

function refused(message: string): { ok: false; rejection: Rejection } {
  return { ok: false, rejection: { code: 'invalid_data', message: `${message}.` } };
}

/** A document of whichever copy of Mongoose. Its values are those that it would store: the setters have run. */
function isMongooseDocument(data: object): boolean {
  return '$__' in data && 'toBSON' in data;
}
