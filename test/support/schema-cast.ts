import mongoose from 'mongoose';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { DocumentForm, type Checked } from '../../libs/sync/src/plan/document-form';
import { schemaFacts } from '../../libs/sync/src/collections/schema-facts';
import type { AnyModel } from '../../libs/sync/src/collections/model-document';
import { SchemaCast } from '../../libs/sync/src/collections/schema-cast';

const { Schema } = mongoose;
export const HEX = '507f1f77bcf86cd799439011';
export const UUID = '0f9a3c1e-1b2d-4c3f-8a4b-5c6d7e8f9a0b';

export type Cast = ((data: JsonObject, id?: unknown) => Promise<Checked>) & {
  /** Errors of the app's own code that were reported for the log. */
  readonly reported: unknown[];
};

/** Casts by a model of this schema alone; needs no server. */
export function castBy(schema: mongoose.Schema, unknownFields: 'reject' | 'strip' = 'reject'): Cast {
  return castWith(new mongoose.Mongoose().model('Thing', schema) as unknown as AnyModel, unknownFields);
}

/** Casts by this model. */
export function castWith(model: AnyModel, unknownFields: 'reject' | 'strip' = 'reject'): Cast {
  const reported: unknown[] = [];
  const cast = new SchemaCast(model, unknownFields, (_, error) => reported.push(error));
  const facts = schemaFacts(model.schema, undefined, (stored) => cast.hydrate(stored));
  const form = new DocumentForm(facts, cast);
  const run = async (data: JsonObject, id: unknown = new mongoose.mongo.ObjectId()): Promise<Checked> => {
    const ids = { storedId: id, wireId: String(id) };
    const prepared = await cast.cast(ids, { sent: data, values: data }, true);
    if (!prepared.ok) return prepared;
    const { document, content = { sent: data, problems: [], verdicts: [] } } = prepared;
    const settled = form.settle(ids, document, content, undefined);
    if (settled.ok === 'ask') throw new Error('a new document was not judged');
    if (!settled.ok) return settled;
    const { __v: _, ...document_ } = form.stamp(settled.document, undefined);
    return { ok: true, document: document_ };
  };
  return Object.assign(run, { reported });
}

/** The document, or an error that says why there is none. */
export async function taken(prepared: Promise<Checked>): Promise<Record<string, unknown>> {
  const result = await prepared;
  if (!result.ok) throw new Error(`${result.rejection.code}: ${result.rejection.message}`);
  return result.document;
}

export async function refused(prepared: Promise<Checked>): Promise<{ code: string; message: string }> {
  const result = await prepared;
  if (result.ok) throw new Error(`was taken: ${JSON.stringify(result.document)}`);
  return result.rejection;
}

/** A field of every type that can be synced. */
export const everything: mongoose.Schema = new Schema({
  text: { type: String, trim: true },
  count: Number,
  done: Boolean,
  due: Date,
  owner: Schema.Types.ObjectId,
  price: Schema.Types.Decimal128,
  total: BigInt,
  bytes: Buffer,
  key: Schema.Types.UUID,
  ratio: Schema.Types.Double,
  small: Schema.Types.Int32,
  any: {},
  tags: { type: [String], default: undefined },
  place: { x: Number, inner: { y: Number } },
  one: new Schema({ q: Number, file: Buffer }, { _id: false }),
  many: { type: [new Schema({ q: Number, at: Date, file: Buffer }, { _id: false })], default: undefined },
  map: { type: Map, of: Number },
  files: { type: Map, of: Buffer },
  grid: { type: [[Number]], default: undefined },
});
