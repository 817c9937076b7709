import type { SyncIdentity } from '../identity/identity';
import type { DocId } from '../protocol/change';
import { SyncError, type Rejection } from '../protocol/errors';
import type { JsonObject } from '../protocol/json';
import { notADocument, notAPlainObject } from './answers';
import type { Prepared } from './collection';
import { checkDocument, type DocumentLimits } from './document-rules';
import { isDatabaseFailure, type FailureReport } from './failure';
import type { DocumentTransformFunction } from './ports';
import { encodeDocument } from './wire-codec';

/** What a collection does with the data of an upsert. A missing step keeps the data. */
export interface PreparationSteps {
  readonly collection: string;
  readonly limits: DocumentLimits;
  readonly transform?: DocumentTransformFunction;
  readonly dto?: (
    data: JsonObject,
  ) => Promise<{ ok: true; data: JsonObject } | { ok: false; rejection: Rejection }>;
  readonly schema?: (docId: DocId, data: JsonObject) => Promise<Prepared>;
  readonly report: FailureReport;
}

/**
 * The way of a client's data: key and size checks, the transform and the checks again on what it returned, DTO,
 * schema. Never throws for bad data; throws what the database throws while the app's code asks it.
 */
export class Preparation {
  constructor(private readonly steps: PreparationSteps) {}

  prepare(identity: SyncIdentity, docId: DocId, data: JsonObject): Prepared | Promise<Prepared> {
    const { limits, transform, dto, schema } = this.steps;
    const rejection = checkDocument(data, limits);
    if (rejection) return { ok: false, rejection };
    return transform || dto || schema ? this.byTheApp(identity, docId, data) : { ok: true, document: data };
  }

  /** Through the code that the app has given. */
  private async byTheApp(identity: SyncIdentity, docId: DocId, data: JsonObject): Promise<Prepared> {
    const { transform, dto } = this.steps;
    let current = data;
    if (transform) {
      const transformed = await this.transform(transform, identity, docId, data);
      if (!transformed.ok) return transformed;
      current = transformed.data;
    }
    if (dto) {
      const checked = await this.attempt('the DTO', 'validation_failed', () => dto(current));
      if (!checked.ok) return checked;
      current = checked.data;
    }
    return this.toStored(docId, current);
  }

  /**
   * For a resolver's document and the app's own writes, which may hold Dates, ObjectIds and other values of a stored
   * document, `_id` and `_sync_*` included: it is brought to its wire form first, then checked and cast.
   */
  async cast(docId: DocId, data: JsonObject): Promise<Prepared> {
    const wrong = notADocument(data);
    if (wrong !== undefined)
      return refused(`data must be an object with the document's fields, not ${wrong}`);
    let wire: JsonObject;
    try {
      wire = encodeDocument(data);
    } catch {
      // Only endless nesting gets here.
      return { ok: false, rejection: { code: 'too_deep', message: 'data is nested without end.' } };
    }
    const rejection = checkDocument(wire, this.steps.limits);
    return rejection ? { ok: false, rejection } : this.toStored(docId, wire);
  }

  private async toStored(docId: DocId, data: JsonObject): Promise<Prepared> {
    return this.steps.schema ? this.steps.schema(docId, data) : { ok: true, document: data };
  }

  private async transform(
    transform: DocumentTransformFunction,
    identity: SyncIdentity,
    docId: DocId,
    data: JsonObject,
  ): Promise<{ ok: true; data: JsonObject } | { ok: false; rejection: Rejection }> {
    return this.attempt('the transform', 'invalid_data', async () => {
      // A copy: what arrived is also hashed to know a retry by, and a transform may write into its argument.
      const copy = structuredClone(data);
      const result = (await transform(this.steps.collection, copy, identity, docId)) ?? copy;
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
      if (isDatabaseFailure(error)) throw error;
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
