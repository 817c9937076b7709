import type { Json } from 'nest-offline-sync-protocol';
import { encodeInteger, isBsonValue } from '../codec/bson-wire';

/** The sum in its wire form, or why there is none. */
export type Sum =
  | { readonly ok: true; readonly value: number | string }
  | { readonly ok: false; readonly code: 'patch_mismatch' | 'unsafe_number'; readonly problem: string };

/** A decimal number: `digits` times ten to the power of `exponent`. */
interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** Digits that a Decimal128 holds. */
const DECIMAL_DIGITS = 34;

/**
 * A field plus a number. Whole numbers and decimals are added exactly, so that any order of additions gives the same sum;
 * of a double with a fraction only the last bits may differ.
 *
 * @param stored the field as it is stored; undefined: it is missing, and counts as 0
 * @param wire the same in its wire form
 */
export function increment(stored: unknown, wire: Json | undefined, by: number): Sum {
  if (wire === undefined) return sumOf(by);
  if (isLong(stored)) return addToLong(stored.toString(), by);
  if (bsonType(stored) === 'Decimal128' && typeof wire === 'string') return addToDecimal(wire, by);
  return typeof wire === 'number' ? sumOf(wire + by) : notANumber();
}

function sumOf(value: number): Sum {
  if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) return tooLarge('±(2^53 - 1)');
  // JSON has no -0.
  return { ok: true, value: value === 0 ? 0 : value };
}

function addToLong(stored: string, by: number): Sum {
  if (!Number.isInteger(by))
    return { ok: false, code: 'patch_mismatch', problem: 'is a whole number: add a whole number to it' };
  const value = BigInt(stored) + BigInt(by);
  return BigInt.asIntN(64, value) === value ? { ok: true, value: encodeInteger(value) } : tooLarge('64 bits');
}

function addToDecimal(stored: string, by: number): Sum {
  const [a, b] = [decimalOf(stored), decimalOf(String(by))];
  if (!a || !b) return notANumber();
  const exponent = Math.min(a.exponent, b.exponent);
  const shifts = [a.exponent - exponent, b.exponent - exponent] as const;
  // A zero is as good at any place; two other numbers so far apart make one with too many digits.
  if (a.digits !== 0n && b.digits !== 0n && Math.max(...shifts) > DECIMAL_DIGITS * 2)
    return tooLarge(`${DECIMAL_DIGITS} digits`);
  if (a.digits === 0n || b.digits === 0n) return { ok: true, value: b.digits === 0n ? stored : textOf(b) };
  const digits = a.digits * 10n ** BigInt(shifts[0]) + b.digits * 10n ** BigInt(shifts[1]);
  const text = digits.toString().replace('-', '');
  return text.length <= DECIMAL_DIGITS
    ? { ok: true, value: textOf({ digits, exponent }) }
    : tooLarge(`${DECIMAL_DIGITS} digits`);
}

function decimalOf(text: string): Decimal | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text);
  if (!match) return undefined;
  const [, sign = '', whole = '', fraction = '', power = '0'] = match;
  return { digits: BigInt(`${sign}${whole}${fraction}`), exponent: Number(power) - fraction.length };
}

function textOf({ digits, exponent }: Decimal): string {
  if (exponent > 0) return `${digits}E+${exponent}`;
  if (exponent === 0) return digits.toString();
  const sign = digits < 0n ? '-' : '';
  const text = digits.toString().replace('-', '');
  if (-exponent > DECIMAL_DIGITS) return `${digits}E${exponent}`;
  const padded = text.padStart(1 - exponent, '0');
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

function isLong(value: unknown): value is bigint | { toString(): string } {
  return typeof value === 'bigint' || bsonType(value) === 'Long';
}

function bsonType(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && isBsonValue(value) ? value._bsontype : undefined;
}

function notANumber(): Sum {
  return { ok: false, code: 'patch_mismatch', problem: 'is no number that inc can add to: set it' };
}

function tooLarge(limit: string): Sum {
  return { ok: false, code: 'unsafe_number', problem: `would be beyond ${limit}` };
}
