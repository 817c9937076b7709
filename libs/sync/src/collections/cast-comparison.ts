import { types } from 'node:util';
import type { mongo } from 'mongoose';
import { isObject } from 'nest-offline-sync-protocol';
import { isBsonValue, type BsonValue } from '../codec/bson-wire';
import { encodeValue } from '../codec/wire-codec';
import {
  isBase64Text,
  isDecimalText,
  isInt64Text,
  isIsoDateText,
  isObjectIdText,
  isUuidText,
} from '../codec/wire-forms';

export type Path = readonly (string | number)[];

/** Where a cast did not keep what was given. */
export interface Difference {
  readonly path: Path;
  /** `unknown`: no such field any more. Otherwise what the field wants, for "must be …". */
  readonly wants: string;
}

/** Base64 or a UUID that stands for a Buffer: a model takes the text's own characters for the bytes. */
export interface BinaryText {
  readonly path: Path;
  readonly bytes: Buffer;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  readonly binaries: readonly BinaryText[];
  /** A list has another length than the one that was given: a setter has made it, or it could not be cast at all. */
  readonly hasOtherLength: boolean;
}

/** `wants` of a field that the model does not know. */
export const UNKNOWN = 'unknown';

interface Findings {
  readonly differences: Difference[];
  readonly binaries: BinaryText[];
  hasOtherLength: boolean;
}

/**
 * Compares a client's document with what a model made of it. A cast may give a value another type only where the
 * wire form says the same thing:
 *
 * - ISO string to Date · 24 hex digits to ObjectId · UUID string to UUID · base64 to Buffer
 * - decimal string or number to Decimal128 · decimal string or safe integer to a 64-bit integer
 *
 * Anything else that changes the type ("" to null, true to 1, "12" to 12, 12 to "12", a scalar to an array) is a
 * difference. A change within one JSON type (a trimmed string) is the schema's own setter and is none.
 */
export function compareCast(given: object, cast: object): Comparison {
  const findings: Findings = { differences: [], binaries: [], hasOtherLength: false };
  compareFields(given as Record<string, unknown>, cast as Record<string, unknown>, [], findings);
  return findings;
}

/** The data with bytes instead of their texts. */
export function withBytes(data: object, binaries: readonly BinaryText[]): object {
  const copy = structuredClone(data);
  for (const { path, bytes } of binaries) {
    let place = copy as Record<string | number, unknown>;
    for (const step of path.slice(0, -1)) place = place[step] as Record<string | number, unknown>;
    const last = path.at(-1);
    if (last !== undefined) place[last] = bytes;
  }
  return copy;
}

function compareFields(
  given: Record<string, unknown>,
  cast: Record<string, unknown>,
  path: Path,
  findings: Findings,
): void {
  for (const key of Object.keys(given)) {
    const value = given[key];
    const result = Object.hasOwn(cast, key) ? cast[key] : undefined;
    if (value === result || value === undefined) continue;
    if (result === undefined) findings.differences.push({ path: [...path, key], wants: UNKNOWN });
    else compareValue(value, result, [...path, key], findings);
  }
}

function compareValue(given: unknown, cast: unknown, path: Path, findings: Findings): void {
  // No cast of a model makes something of null: what does is the schema's own setter.
  if (given === cast || given === null) return;
  const wants = differs(given, cast, path, findings);
  if (wants !== undefined) findings.differences.push({ path, wants });
}

function differs(given: unknown, cast: unknown, path: Path, findings: Findings): string | undefined {
  if (Array.isArray(cast)) {
    if (!Array.isArray(given)) return 'an array';
    // Another length can only come from the schema's own setter, or from a cast that has failed and says so itself.
    if (given.length !== cast.length) findings.hasOtherLength = true;
    else
      given.forEach((item, index) => {
        compareValue(item, cast[index], [...path, index], findings);
      });
    return undefined;
  }
  if (cast === null) return "of the field's type, or null";
  if (typeof cast === 'bigint') return integerDiffers(given);
  if (typeof cast !== 'object') return typeof given === typeof cast ? undefined : `a ${typeof cast}`;
  if (types.isDate(cast))
    return typeof given === 'string' && isIsoDateText(given)
      ? undefined
      : 'an ISO 8601 date string with Z or an offset';
  if (isBsonValue(cast)) return bsonDiffers(given, cast, path, findings);
  if (!isObject(given)) return 'an object';
  compareFields(given, cast as Record<string, unknown>, path, findings);
  return undefined;
}

function integerDiffers(given: unknown): string | undefined {
  return Number.isSafeInteger(given) || (typeof given === 'string' && isInt64Text(given))
    ? undefined
    : 'a whole number of 64 bits, as a number or as its decimal digits';
}

function bsonDiffers(given: unknown, cast: BsonValue, path: Path, findings: Findings): string | undefined {
  switch (cast._bsontype) {
    case 'ObjectId':
    case 'ObjectID':
      return isObjectIdText(given) ? undefined : 'an ObjectId: a string of 24 hex digits';
    case 'Decimal128':
      return typeof given === 'number' || (typeof given === 'string' && isDecimalText(given))
        ? undefined
        : 'a decimal number, as a string';
    case 'Long':
      return integerDiffers(given);
    case 'Double':
    case 'Int32':
      return typeof given === 'number' ? undefined : 'a number';
    case 'Binary':
      return binaryDiffers(given, cast as mongo.Binary, path, findings);
    default:
      return 'of another type';
  }
}

function binaryDiffers(
  given: unknown,
  cast: mongo.Binary,
  path: Path,
  findings: Findings,
): string | undefined {
  const uuid = cast.sub_type === 4;
  if (uuid ? !isUuidText(given) : !(typeof given === 'string' && isBase64Text(given)))
    return uuid ? 'a UUID string' : 'a base64 string';
  const text = uuid ? (given as string).toLowerCase() : (given as string);
  if (encodeValue(cast) !== text)
    findings.binaries.push({
      path,
      bytes: uuid ? Buffer.from(text.replaceAll('-', ''), 'hex') : Buffer.from(text, 'base64'),
    });
  return undefined;
}
