import { dataPath, type ErrorCode, type Rejection } from 'nest-offline-sync-protocol';
import { isSyncField } from '../codec/stored-document';
import type { DocumentLimits } from '../plan/conflict';

export type { DocumentLimits };

/** What is wrong, and where: the steps are added on the way out, so that good data costs no path. */
interface Finding {
  readonly code: ErrorCode;
  readonly message: string;
  readonly path: (string | number)[];
}

/** How much of the document was seen. `bytes` never counts less than JSON.stringify would write. */
interface Walk {
  readonly maxDepth: number;
  bytes: number;
}

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype', '_bsontype']);
const LARGEST_NUMBER_TEXT = 25;
const LARGEST_ESCAPE = 6;

/**
 * Checks a client's document before anything else looks at it: plain JSON that MongoDB, Mongoose and every reader
 * can hold and give back unchanged. Stops at `maxDepth`, so any nesting is safe to check.
 *
 * The message names the path and never the value.
 */
export function checkDocument(data: unknown, limits: DocumentLimits): Rejection | undefined {
  if (!isPlainObject(data))
    return rejection({ code: 'invalid_data', message: 'must be an object', path: [] });
  const walk: Walk = { maxDepth: limits.maxDepth, bytes: 0 };
  const finding = checkObject(data, 1, walk);
  if (finding) return rejection(finding);
  if (walk.bytes <= limits.maxDocumentBytes) return undefined;
  const bytes = Buffer.byteLength(JSON.stringify(data));
  if (bytes <= limits.maxDocumentBytes) return undefined;
  return rejection({
    code: 'document_too_large',
    message: `has ${bytes} bytes as JSON, more than the limit of ${limits.maxDocumentBytes}; split it, or raise limits.maxDocumentBytes`,
    path: [],
  });
}

function rejection(finding: Finding): Rejection {
  return { code: finding.code, message: `${dataPath(finding.path)} ${finding.message}.` };
}

function checkValue(value: unknown, depth: number, walk: Walk): Finding | undefined {
  switch (typeof value) {
    case 'string':
      walk.bytes += value.length * LARGEST_ESCAPE + 2;
      return value.isWellFormed()
        ? undefined
        : found('invalid_string', 'holds half of a surrogate pair: send well-formed Unicode');
    case 'number':
      walk.bytes += LARGEST_NUMBER_TEXT;
      // Above 2^53 every double is a whole number and stands for several: the client's digits may be lost already.
      return Math.abs(value) <= Number.MAX_SAFE_INTEGER
        ? undefined
        : found('unsafe_number', 'is beyond ±(2^53 - 1), where numbers lose digits: send it as a string');
    case 'boolean':
      walk.bytes += 5;
      return undefined;
    case 'object':
      if (value === null) walk.bytes += 4;
      else if (Array.isArray(value)) return checkArray(value, depth + 1, walk);
      else if (isPlainObject(value)) return checkObject(value, depth + 1, walk);
      else return notJson();
      return undefined;
    default:
      return notJson();
  }
}

function checkArray(items: readonly unknown[], depth: number, walk: Walk): Finding | undefined {
  if (depth > walk.maxDepth) return tooDeep(walk);
  walk.bytes += items.length + 2;
  for (const [index, item] of items.entries()) {
    const finding = checkValue(item, depth, walk);
    if (finding) return at(index, finding);
  }
  return undefined;
}

function checkObject(value: Record<string, unknown>, depth: number, walk: Walk): Finding | undefined {
  if (depth > walk.maxDepth) return tooDeep(walk);
  walk.bytes += 2;
  for (const key of Object.keys(value)) {
    const field = value[key];
    walk.bytes += key.length * LARGEST_ESCAPE + 4;
    const finding =
      checkKey(key, depth === 1) ?? (field === undefined ? undefined : checkValue(field, depth, walk));
    if (finding) return at(key, finding);
  }
  return undefined;
}

function checkKey(key: string, top: boolean): Finding | undefined {
  if (top && (key === '_id' || isSyncField(key)))
    return found('forbidden_key', 'is kept by the server: leave it out, the id travels as doc_id');
  if (key.startsWith('$') || key.includes('.') || key.includes('\0') || key === '')
    return found(
      'forbidden_key',
      'cannot be a field: a key must not be empty, start with "$", or hold a dot or a NUL',
    );
  if (FORBIDDEN_KEYS.has(key)) return found('forbidden_key', 'is a reserved key: rename the field');
  return key.isWellFormed()
    ? undefined
    : found('invalid_string', 'is a key with half of a surrogate pair: send well-formed Unicode');
}

/** JSON.parse's objects, also those of another realm; not a Date, a Map or a BSON type. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

function found(code: ErrorCode, message: string): Finding {
  return { code, message, path: [] };
}

function at(step: string | number, finding: Finding): Finding {
  finding.path.unshift(step);
  return finding;
}

function tooDeep(walk: Walk): Finding {
  return found('too_deep', `is nested deeper than ${walk.maxDepth} levels`);
}

function notJson(): Finding {
  return found('invalid_data', 'is not a JSON value');
}
