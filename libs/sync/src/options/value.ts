import { isNodeId } from 'nest-offline-sync-protocol';
import { OPTION_TABLE, type OptionPath, type OptionRow } from './table';

/** The table without the literal types of its rows, to look up what may be missing in one. */
export const OPTION_ROWS: Readonly<Record<OptionPath, OptionRow>> = OPTION_TABLE;

/** The rows of the table in its order. */
export function optionRows(): [OptionPath, OptionRow][] {
  return Object.entries(OPTION_ROWS) as [OptionPath, OptionRow][];
}

/**
 * What is wrong with a value, as the end of a sentence that begins with the option.
 *
 * @param max takes the place of the row's own bound
 * @returns undefined when the value will do, and for texts, lists and code: the reader of those checks them
 */
export function problemWith(
  { kind, min = 0, max: bound, words = [] }: OptionRow,
  value: unknown,
  max = bound,
): string | undefined {
  switch (kind) {
    case 'flag':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'number':
      return outside(value, min, max);
    case 'whole':
      return outside(value, min, max) ?? (Number.isSafeInteger(value) ? undefined : 'must be a whole number');
    case 'name':
      return isCollectionName(value) ? undefined : 'must be a plain collection name';
    case 'nodeId':
      return isNodeId(value as string)
        ? undefined
        : 'must be 1 to 64 letters, digits, dots, underscores or dashes';
    case 'choice':
      return words.includes(value as string) ? undefined : `must be one of: ${words.join(', ')}`;
    case 'path':
      return plainPath(value) === undefined
        ? `must be a path of letters, digits, dots, dashes, underscores and single slashes, such as api/sync. It is ${JSON.stringify(value)}`
        : undefined;
    case 'text':
    case 'list':
    case 'code':
      return undefined;
  }
}

/**
 * Segments joined by slashes, without one at either end: no parameters or wildcards, nothing that a router or a proxy
 * would read in another way. Undefined for anything else.
 */
export function plainPath(value: unknown): string | undefined {
  const segments = typeof value === 'string' ? value.replace(/^\/|\/$/g, '').split('/') : [];
  const isPlain = segments.every((part) => /^[A-Za-z0-9._~-]+$/.test(part) && !/^\.+$/.test(part));
  return segments.length > 0 && isPlain ? segments.join('/') : undefined;
}

function outside(value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): string | undefined {
  return typeof value === 'number' && value >= min && value <= max
    ? undefined
    : `must be a number from ${min} to ${max}`;
}

function isCollectionName(value: unknown): boolean {
  const name = String(value);
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/.test(name) && !name.startsWith('system.');
}
