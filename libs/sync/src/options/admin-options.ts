import type { CanActivate, Type } from '@nestjs/common';
import { SyncError } from 'nest-offline-sync-protocol';
import { plainPath } from './value';

/** What `SyncAdminModule.forRoot()` takes, and what a forRootAsync factory returns. */
export interface SyncAdminOptions {
  /**
   * Guards of the app, at least one: a request reaches a route when each of them answers `true`. Found among the app's
   * providers, else made by SyncAdminModule.
   */
  readonly guards: readonly Type<CanActivate>[];
  /** Longest that one `POST verify` compares; what it has found until then is the answer. Default 20000. */
  readonly verifyTimeoutMs?: number;
}

/** Known before DI: these stand next to the options, also in forRootAsync. */
export interface SyncAdminExtras {
  /** Path of the routes, behind the app's global prefix. Default `admin/sync`. */
  readonly path?: string;
  /** The instance of SyncModule that is shown. Default: that on the unnamed connection. */
  readonly connectionName?: string;
}

/** SyncAdminOptions, checked, with every default filled in. */
export type SyncAdminSettings = Required<SyncAdminOptions>;

export const ADMIN_EXTRA_DEFAULTS: SyncAdminExtras = { path: 'admin/sync', connectionName: undefined };

const NUMBERS = {
  verifyTimeoutMs: { default: 20_000, min: 1, max: 600_000 },
} as const;

const KNOWN: readonly string[] = ['guards', ...Object.keys(NUMBERS)];

/**
 * Checks what the app gave. Without a guard there is no way on: these routes show what devices of all scopes do.
 *
 * @throws SyncError `configuration`, naming the option and what to do
 */
export function resolveAdminOptions(given: unknown): SyncAdminSettings {
  if (typeof given !== 'object' || given === null)
    throw bad('', 'the options factory returned no object. Return the options, or a promise of them');
  const options = given as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(options)) {
    if (options[name] === undefined || KNOWN.includes(name)) continue;
    if (Object.hasOwn(ADMIN_EXTRA_DEFAULTS, name))
      throw bad(name, 'comes too late from the options factory. Write it next to useFactory');
    throw bad(name, `is unknown. Options are: ${KNOWN.join(', ')}`);
  }
  return {
    guards: guardsOf(options['guards']),
    ...(Object.fromEntries(
      Object.entries(NUMBERS).map(([name, row]) => [name, numberOf(name, row, options[name])]),
    ) as { [name in keyof typeof NUMBERS]: number }),
  };
}

/**
 * The path without slashes at its ends.
 *
 * @throws SyncError `configuration` for what is no plain path
 */
export function adminPath(path: unknown): string {
  const plain = plainPath(path ?? ADMIN_EXTRA_DEFAULTS.path);
  if (plain === undefined)
    throw bad('path', 'must be a path of letters, digits, dots, dashes, underscores and single slashes');
  return plain;
}

function guardsOf(value: unknown): readonly Type<CanActivate>[] {
  if (!Array.isArray(value) || value.length === 0)
    throw bad(
      'guards',
      'names no guard, so that everybody could see and change the data of all scopes. Give the classes of the app that let operators in: guards: [OperatorGuard]',
    );
  const classes = value as readonly unknown[];
  for (const [index, guard] of classes.entries())
    if (!isGuardClass(guard))
      throw bad(`guards[${index}]`, 'must be the class of a guard (with canActivate), not an instance of it');
  return classes as readonly Type<CanActivate>[];
}

function isGuardClass(value: unknown): boolean {
  if (typeof value !== 'function') return false;
  const { prototype } = value as { readonly prototype?: { readonly canActivate?: unknown } };
  return typeof prototype?.canActivate === 'function';
}

function numberOf(name: string, row: { default: number; min: number; max: number }, value: unknown): number {
  if (value === undefined) return row.default;
  if (Number.isSafeInteger(value) && Number(value) >= row.min && Number(value) <= row.max)
    return Number(value);
  throw bad(name, `must be a whole number from ${row.min} to ${row.max}`);
}

function bad(option: string, problem: string): SyncError {
  const where = option === '' ? '' : `option ${option} `;
  return new SyncError(
    'configuration',
    `SyncAdminModule: ${where}${problem}.`,
    option === '' ? {} : { path: option },
  );
}
