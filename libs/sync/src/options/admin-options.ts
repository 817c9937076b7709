import type { CanActivate, Type } from '@nestjs/common';
import { SyncError } from 'nest-offline-sync-protocol';
import type { SyncIdentity } from '../identity/identity';
import { plainPath, problemWith } from './value';

/** What `SyncAdminModule.forRoot()` takes, and what a forRootAsync factory returns. */
export interface SyncAdminOptions {
  /**
   * Guards of the app, at least one: a request reaches a route when each of them answers `true`. Found among the app's
   * providers, else made by SyncAdminModule.
   */
  readonly guards: readonly Type<CanActivate>[];
  /** Longest that one `POST verify` compares; what it has found until then is the answer. Default 20000. */
  readonly verifyTimeoutMs?: number;
  /** True: refused changes are kept as they were sent, and can be applied again. They are data of users. Default false. */
  readonly refusedBodies?: boolean;
  /**
   * The `user` that the app's authorizers, transforms and resolvers see when an operator applies a refused change of an
   * identity again. Default: none.
   */
  readonly applyAs?: (identity: Pick<SyncIdentity, 'scopeId' | 'actorId'>) => unknown;
  /** Days after which a device that is silent is forgotten here. Default 90. */
  readonly deviceDays?: number;
  /** Days that refused changes are kept. Default 30. */
  readonly refusedDays?: number;
  /** The newest refused changes that are kept. Default 1000. */
  readonly maxRefused?: number;
  /** Default `sync_devices`. */
  readonly devicesCollection?: string;
  /** Default `sync_refused`. */
  readonly refusedCollection?: string;
}

/** Known before DI: these stand next to the options, also in forRootAsync. */
export interface SyncAdminExtras {
  /** Path of the routes, behind the app's global prefix. Default `admin/sync`. */
  readonly path?: string;
  /** The instance of SyncModule that is shown. Default: that on the unnamed connection. */
  readonly connectionName?: string;
}

/** SyncAdminOptions, checked, with every default filled in. */
export type SyncAdminSettings = Required<Omit<SyncAdminOptions, 'applyAs'>> &
  Pick<SyncAdminOptions, 'applyAs'>;

/** What is noted of devices, where and for how long. */
export type RegisterSettings = Pick<
  SyncAdminSettings,
  'refusedBodies' | 'deviceDays' | 'refusedDays' | 'maxRefused' | 'devicesCollection' | 'refusedCollection'
>;

export const ADMIN_EXTRA_DEFAULTS: SyncAdminExtras = { path: 'admin/sync', connectionName: undefined };

const NUMBERS = {
  verifyTimeoutMs: { default: 20_000, min: 1, max: 600_000 },
  deviceDays: { default: 90, min: 1, max: 3_650 },
  refusedDays: { default: 30, min: 1, max: 3_650 },
  maxRefused: { default: 1_000, min: 1, max: 100_000 },
} as const;
const NAMES = { devicesCollection: 'sync_devices', refusedCollection: 'sync_refused' } as const;

const KNOWN: readonly string[] = [
  ...['guards', 'refusedBodies', 'applyAs'],
  ...Object.keys(NUMBERS),
  ...Object.keys(NAMES),
];

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
  const { guards, refusedBodies = false, applyAs } = options;
  if (typeof refusedBodies !== 'boolean') throw bad('refusedBodies', 'must be true or false');
  if (applyAs !== undefined && typeof applyAs !== 'function') throw bad('applyAs', 'must be a function');
  return {
    guards: guardsOf(guards),
    refusedBodies,
    ...(applyAs === undefined ? {} : { applyAs: applyAs as NonNullable<SyncAdminOptions['applyAs']> }),
    devicesCollection: nameOf('devicesCollection', options['devicesCollection']),
    refusedCollection: nameOf('refusedCollection', options['refusedCollection']),
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

function nameOf(option: keyof typeof NAMES, value: unknown = NAMES[option]): string {
  const problem = problemWith({ kind: 'name', section: 'log', about: '' }, value);
  if (problem !== undefined) throw bad(option, problem);
  return String(value);
}

function bad(option: string, problem: string): SyncError {
  const where = option === '' ? '' : `option ${option} `;
  return new SyncError(
    'configuration',
    `SyncAdminModule: ${where}${problem}.`,
    option === '' ? {} : { path: option },
  );
}
