import { isObject } from 'nest-offline-sync-protocol';
import { isPlain, type StoredDocument } from '../codec/stored-document';
import mongoose, { type HydratedDocument, type Model } from 'mongoose';
import type { PathError } from './validation-message';

export type AnyModel = Model<Record<string, unknown>>;
export type AnyDocument = HydratedDocument<Record<string, unknown>>;

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

/** What is stored of a document, without its id. */
export function asStored(document: AnyDocument, given: unknown): StoredDocument {
  const result: StoredDocument = document.toObject(AS_STORED);
  delete result['_id'];
  if (document.schema.get('minimize') !== false) dropPlaceholders(result, given);
  return result;
}

/** What the model made of data, its id included. */
export function resultOf(document: AnyDocument): StoredDocument {
  return document.toObject(AS_STORED);
}

/** Mongoose 8 has it under the first name; Mongoose 9 warns of that one and has it under the second. */
export function validateNow(
  document: AnyDocument,
  ...given: unknown[]
): mongoose.Error.ValidationError | undefined {
  const { $__validateSync, validateSync } = document as unknown as Record<
    string,
    ((...given: unknown[]) => mongoose.Error.ValidationError | null | undefined) | undefined
  >;
  return ($__validateSync ?? validateSync)?.apply(document, given) ?? undefined;
}

/** What could not be cast at all, by dotted path. */
export function castErrors(document: AnyDocument): [string, PathError][] {
  // No path is validated: what the casts have noted is all that there is.
  const errors = validateNow(document, [])?.errors ?? {};
  return Object.entries(errors).filter(([, error]) => error instanceof mongoose.Error.CastError);
}

/**
 * Mongoose validates the elements of a document array in parallel. When a later one throws at once (a `false` or ''
 * among objects), nobody waits for the earlier ones any more, and the rejection of one of them ends the process. So
 * each is observed here; Mongoose still gets the same promise.
 */
export function observeSubdocuments(document: AnyDocument): void {
  for (const subdocument of document.$getAllSubdocs()) {
    const validate = subdocument.validate.bind(subdocument) as (...given: unknown[]) => Promise<void>;
    subdocument.validate = (...given: unknown[]): Promise<void> => {
      const validated = validate(...given);
      validated.catch(() => undefined);
      return validated;
    };
  }
}

/** Hooks may write into what they are given; plain data alone is copied, values of BSON types stand. */
export function plainCopy(value: StoredDocument): StoredDocument {
  return copyOf(value) as StoredDocument;
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyOf(inner)]));
}

/**
 * Removes the empty objects that a model puts where nested fields were not given, as Mongoose's own
 * save does (`minimize`); empty objects that were given stay. Changes `result` in place.
 */
export function dropPlaceholders(result: Record<string, unknown>, given: unknown): void {
  const source = isObject(given) ? given : {};
  for (const key of Object.keys(result)) {
    const value = result[key];
    const origin = Object.hasOwn(source, key) ? source[key] : undefined;
    if (Array.isArray(value)) dropInside(value, origin);
    else if (isLiteral(value)) {
      dropPlaceholders(value, origin);
      if (!isObject(origin) && Object.keys(value).length === 0) Reflect.deleteProperty(result, key);
    }
  }
}

function dropInside(items: readonly unknown[], origin: unknown): void {
  items.forEach((item, index) => {
    if (isLiteral(item)) dropPlaceholders(item, Array.isArray(origin) ? origin[index] : undefined);
  });
}

function isLiteral(value: unknown): value is Record<string, unknown> {
  return isObject(value) && Object.getPrototypeOf(value) === Object.prototype;
}
