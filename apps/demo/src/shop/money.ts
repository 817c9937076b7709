import { applyDecorators } from '@nestjs/common';
import { Matches } from 'class-validator';

const MONEY = /^\d{1,12}\.\d{2}$/;

/** An amount as it travels: a string with two decimals, so that no device makes a binary fraction of it. */
export function IsMoney(): PropertyDecorator {
  return applyDecorators(Matches(MONEY, { message: '$property must be an amount such as "18.50"' }));
}

/** Cents of an amount: "18.50" is 1850. Reads what Decimal128 writes, such as "18.5". */
export function toCents(amount: { toString(): string }): bigint {
  const [units = '0', fraction = ''] = amount.toString().split('.');
  return BigInt(units) * 100n + BigInt(fraction.padEnd(2, '0').slice(0, 2));
}

export function fromCents(cents: bigint): string {
  return `${String(cents / 100n)}.${String(cents % 100n).padStart(2, '0')}`;
}
