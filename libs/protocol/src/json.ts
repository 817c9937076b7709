/** Plain JSON values, as they travel. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A part of an OpenAPI or AsyncAPI document. */
export type DocumentPiece = Readonly<Record<string, unknown>>;
