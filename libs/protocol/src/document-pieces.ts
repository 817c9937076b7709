/** The small pieces that OpenAPI documents are made of. */
import type { DocumentPiece } from './json.ts';

export const text: DocumentPiece = { type: 'string' };
export const integer: DocumentPiece = { type: 'integer' };
export const flag: DocumentPiece = { type: 'boolean' };

export function nullable(piece: DocumentPiece): DocumentPiece {
  return { ...piece, nullable: true };
}

export function list(items: DocumentPiece): DocumentPiece {
  return { type: 'array', items };
}

/** Refers to a schema of the same document. */
export function named(schema: string): DocumentPiece {
  return { $ref: `#/components/schemas/${schema}` };
}

export function object(
  required: Readonly<Record<string, DocumentPiece>>,
  optional: Readonly<Record<string, DocumentPiece>> = {},
): DocumentPiece {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional },
  };
}
