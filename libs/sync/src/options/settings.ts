import { SyncError } from 'nest-offline-sync-protocol';
import type { SyncLimits, SyncOptions } from './sync.options';
import type { OPTION_TABLE, OptionPath, OptionRow } from './table';
import { OPTION_ROWS, optionRows, problemWith } from './value';

export type Rows = typeof OPTION_TABLE;
export type OfKind<K> = {
  [P in keyof SyncOptions]-?: Rows[P]['kind'] extends K ? P : never;
}[keyof SyncOptions];
/** The options that are checked as plain values. */
export type SettingName = OfKind<'flag' | 'whole' | 'number' | 'name' | 'choice'>;
export type WithDefault = {
  [P in SettingName]: Rows[P] extends { readonly default: unknown } ? P : never;
}[SettingName];

/** SyncOptions with every switch, number and name filled in and checked. */
export interface SyncSettings
  extends Required<Pick<SyncOptions, WithDefault>>, Pick<SyncOptions, Exclude<SettingName, WithDefault>> {
  readonly limits: Required<SyncLimits>;
}

/**
 * Fills in the defaults and checks every value.
 *
 * @throws SyncError `configuration`, naming the option and what it may be
 */
export function resolveSettings(options: SyncOptions): SyncSettings {
  const settings: Record<string, unknown> = {};
  const limits: Record<string, unknown> = {};
  for (const [path, row] of optionRows()) {
    if (row.section === 'start' || row.section === 'jwt') continue;
    if (row.kind === 'text' || row.kind === 'list' || row.kind === 'code') continue;
    const value = valueOf(path, options);
    const [first, second] = path.split('.') as [string, string?];
    if (second !== undefined) limits[second] = value;
    // The clock chooses a node by itself where none is given.
    else if (row.kind !== 'nodeId') settings[first] = value;
  }
  const resolved = { ...settings, limits } as unknown as SyncSettings;
  const { oplogCollection, headsCollection, receiptsCollection, leasesCollection } = resolved;
  if (new Set([oplogCollection, headsCollection, receiptsCollection, leasesCollection]).size !== 4)
    throw bad(
      'oplogCollection',
      'and the heads, receipts and leases collections must have four different names',
    );
  const { tombstoneTtlDays, oplogTtlDays, oplogMaxEntries } = resolved;
  if (tombstoneTtlDays > 0 && oplogTtlDays === 0 && oplogMaxEntries === undefined)
    throw bad(
      'tombstoneTtlDays',
      'needs oplogTtlDays or oplogMaxEntries: a log that is kept forever keeps its tombstones',
    );
  return resolved;
}

function valueOf(path: OptionPath, options: SyncOptions): unknown {
  const row = OPTION_ROWS[path];
  const max = row.atMost === undefined ? row.max : Number(valueOf(row.atMost, options));
  const value = given(path, options) ?? defaultOf(row, max);
  const problem = value === undefined ? undefined : problemWith(row, value, max);
  if (problem !== undefined) throw bad(path, problem);
  return value;
}

function given(path: OptionPath, options: object): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], options);
}

function defaultOf(row: OptionRow, max: number | undefined): unknown {
  return typeof row.default === 'number' ? Math.min(row.default, max ?? Infinity) : row.default;
}

function bad(option: string, problem: string): SyncError {
  return new SyncError('configuration', `SyncModule: option ${option} ${problem}.`, { path: option });
}
