import type { Environment } from './environment.ts';

type Chance = Pick<Environment, 'now' | 'randomBytes'>;

/** A UUID of version 7: begins with the time, so that new ids are neighbours. */
export function uuid({ now, randomBytes }: Chance): string {
  const bytes = randomBytes(16);
  const time = Math.max(0, Math.floor(now()));
  for (let at = 0; at < 6; at++) bytes[at] = Math.floor(time / 2 ** (8 * (5 - at))) % 256;
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const text = hex(bytes);
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join(
    '-',
  );
}

/** An ObjectId: seconds, then chance. */
export function objectId({ now, randomBytes }: Chance): string {
  const seconds = Math.floor(Math.max(0, now()) / 1_000) % 2 ** 32;
  return seconds.toString(16).padStart(8, '0') + hex(randomBytes(8));
}

/** Nothing but chance: a device that was copied or restored never draws one again. */
export function randomId({ randomBytes }: Pick<Chance, 'randomBytes'>, bytes = 16): string {
  return hex(randomBytes(bytes));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
