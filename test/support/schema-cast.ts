import mongoose from 'mongoose';
import type { Prepared } from '../../libs/sync/src/collections/collection';
import { SchemaCast, type AnyModel } from '../../libs/sync/src/collections/schema-cast.schema';
import type { JsonObject } from '../../libs/sync/src/protocol/json';

const { Schema } = mongoose;
export const HEX = '507f1f77bcf86cd799439011';
export const UUID = '0f9a3c1e-1b2d-4c3f-8a4b-5c6d7e8f9a0b';

export type Cast = ((data: JsonObject, id?: unknown) => Promise<Prepared>) & {
  /** Errors of the app's own code that were reported for the log. */
  readonly reported: unknown[];
};

/** Casts by a model of this schema alone; needs no server. */
export function castBy(schema: mongoose.Schema, unknownFields: 'reject' | 'strip' = 'reject'): Cast {
  const model = new mongoose.Mongoose().model('Thing', schema) as unknown as AnyModel;
  const reported: unknown[] = [];
  const cast = new SchemaCast(model, unknownFields, (_, error) => reported.push(error));
  const run = (data: JsonObject, id: unknown = new mongoose.mongo.ObjectId()) => cast.cast(id, data);
  return Object.assign(run, { reported });
}

/** The document, or an error that says why there is none. */
export async function taken(prepared: Promise<Prepared>): Promise<Record<string, unknown>> {
  const result = await prepared;
  if (!result.ok) throw new Error(`${result.rejection.code}: ${result.rejection.message}`);
  return result.document;
}

export async function refused(prepared: Promise<Prepared>): Promise<{ code: string; message: string }> {
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
