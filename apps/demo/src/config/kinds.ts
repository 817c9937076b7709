import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsBoolean, IsInt, IsNumber, IsString, Max, Min, MinLength } from 'class-validator';
import type { Kind } from './sync-variables';

const LARGEST = Number.MAX_SAFE_INTEGER;

/** A whole number from `min` to `max`. */
export function Whole(min = 0, max: number = LARGEST): PropertyDecorator {
  const range = max === LARGEST ? `of ${String(min)} or more` : `from ${String(min)} to ${String(max)}`;
  const message = `must be a whole number ${range}`;
  return applyDecorators(
    fromText(toNumber),
    IsInt({ message }),
    Min(min, { message }),
    Max(max, { message }),
  );
}

/** A number, fractions allowed. */
export function Numeric(): PropertyDecorator {
  return applyDecorators(fromText(toNumber), IsNumber({}, { message: 'must be a number' }));
}

/** `true`, `1`, `yes` or `on`; `false`, `0`, `no` or `off`. */
export function Flag(): PropertyDecorator {
  return applyDecorators(fromText(toFlag), IsBoolean({ message: 'must be true or false' }));
}

export function Text(): PropertyDecorator {
  return applyDecorators(IsString(), MinLength(1));
}

/** Texts separated by commas. */
export function List(): PropertyDecorator {
  const split = (text: string): string[] => text.split(',').map((item) => item.trim());
  return applyDecorators(fromText(split), IsString({ each: true }));
}

export const DECORATORS: Record<Kind, () => PropertyDecorator> = {
  text: Text,
  list: List,
  flag: Flag,
  whole: () => Whole(),
  number: Numeric,
};

/** What cannot be read stays text, so that the validator after it refuses it. */
function fromText(read: (text: string) => unknown): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? read(value.trim()) : value,
  );
}

function toNumber(text: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function toFlag(text: string): unknown {
  if (/^(true|1|yes|on)$/i.test(text)) return true;
  if (/^(false|0|no|off)$/i.test(text)) return false;
  return text;
}
