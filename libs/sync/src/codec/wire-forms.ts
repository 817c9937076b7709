/**
 * The string forms in which JSON carries other types. Each is strict: a text that a parser would bend into another
 * value (31 February, a 12-character "ObjectId", a local time) is none.
 */

const OBJECT_ID = /^[0-9a-fA-F]{24}$/;
const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const DECIMAL = /^(?:[+-]?(?:\d{1,60}\.?\d{0,60}|\.\d{1,60})(?:[eE][+-]?\d{1,6})?|NaN|-?Infinity)$/;
const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;
const ISO_DATE =
  /^(\d{4}|[+-]\d{6})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?:Z|[+-]([01]\d|2[0-3]):[0-5]\d))?$/;

export function isObjectIdText(value: unknown): value is string {
  return typeof value === 'string' && OBJECT_ID.test(value);
}

export function isUuidText(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

/** What Decimal128 reads and writes: digits, a point, an exponent; also its own `NaN` and `Infinity`. */
export function isDecimalText(value: string): boolean {
  return DECIMAL.test(value);
}

/** A whole number of 64 bits in its shortest decimal form. */
export function isInt64Text(value: string): boolean {
  if (!INTEGER.test(value)) return false;
  const number = BigInt(value);
  return number === BigInt.asIntN(64, number);
}

/** Canonical base64 with padding; anything else would not come back as it went. */
export function isBase64Text(value: string): boolean {
  return value.length % 4 === 0 && Buffer.from(value, 'base64').toString('base64') === value;
}

/**
 * ISO 8601 as `Date.toISOString` writes it, or with an offset, without seconds, with up to nine digits of a second
 * (kept to the millisecond), or a day alone (midnight UTC). A time needs `Z` or an offset: a local time would mean
 * the server's zone. The day must exist.
 */
export function isIsoDateText(value: string): boolean {
  const parts = ISO_DATE.exec(value);
  if (!parts || Number.isNaN(Date.parse(value))) return false;
  const [year = 0, month = 0, day = 0, hour = 0] = parts.slice(1, 5).map(Number);
  // Date.parse takes 31 February for 2 March and 24:00 for the next day.
  return day <= daysOf(year, month) && !(hour > 23);
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}
