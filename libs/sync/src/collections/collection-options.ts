import { SyncError } from 'nest-offline-sync-protocol';
import { CONFLICT_STRATEGIES, DELETE_UPDATE_POLICIES } from '../plan/conflict';
import type { SyncCollectionOptions } from '../options/sync.options';

/** Lists what was allowed, so that a mistyped value is found at once. */
const CHOICES = {
  ids: ['global', 'scoped'],
  unknownFields: ['reject', 'strip'],
  conflict: CONFLICT_STRATEGIES,
  deleteUpdatePolicy: DELETE_UPDATE_POLICIES,
  bypass: ['warn', 'error', 'off'],
} as const;

const MAX_NAME_BYTES = 120;

/**
 * Checks the part of a collection's options that needs neither the database nor DI. A bare name stands for `{ name }`.
 *
 * @param reserved the engine's own collections
 * @throws SyncError `configuration`, naming the collection, the option and what it may be
 */
export function readCollectionOptions(
  given: string | SyncCollectionOptions,
  reserved: readonly string[],
): SyncCollectionOptions {
  const options = typeof given === 'string' ? { name: given } : given;
  checkName(options.name, reserved);
  for (const [option, allowed] of Object.entries(CHOICES)) {
    const value = options[option as keyof typeof CHOICES];
    if (value !== undefined && !(allowed as readonly string[]).includes(value))
      throw configurationError(options.name, option, `must be one of: ${allowed.join(', ')}`);
  }
  checkHidden(options);
  checkScopes(options);
  checkCapture(options);
  if (options.freeForm === true && options.model !== undefined)
    throw configurationError(
      options.name,
      'freeForm',
      'means that there is no model: give one of the two, freeForm or model',
    );
  return options;
}

export function configurationError(
  collection: string,
  option: string,
  message: string,
  cause?: unknown,
): SyncError {
  return new SyncError('configuration', `SyncModule: collection ${collection}: ${option} ${message}.`, {
    path: `collections.${collection}.${option}`,
    cause,
  });
}

function checkHidden({ name, hidden }: SyncCollectionOptions): void {
  if (hidden === undefined) return;
  if (!Array.isArray(hidden)) throw configurationError(name, 'hidden', 'must be a list of dotted paths');
  for (const path of hidden as readonly unknown[])
    if (
      typeof path !== 'string' ||
      path.split('.').some((step) => step === '') ||
      /^(_id$|_sync_)/.test(path)
    )
      throw configurationError(
        name,
        'hidden',
        `holds ${JSON.stringify(path) ?? 'a value'}, which is no field of the app's: give dotted paths such as "account.secret"`,
      );
}

function checkScopes({ name, scopes }: SyncCollectionOptions): void {
  if (scopes === undefined) return;
  const isList = Array.isArray(scopes) && scopes.length > 0;
  if (isList && (scopes as readonly unknown[]).every((kind) => typeof kind === 'string' && kind !== ''))
    return;
  throw configurationError(
    name,
    'scopes',
    "must be a list of kinds of scopes, such as ['project', 'user']: those that kind() of the module's option scopes gives",
  );
}

function checkCapture({ name, capture, scopeField, ids, bypass }: SyncCollectionOptions): void {
  if (capture !== undefined && typeof capture !== 'boolean')
    throw configurationError(name, 'capture', 'must be true or false');
  if (capture === true && bypass !== undefined)
    throw configurationError(
      name,
      'bypass',
      'is for collections that are not captured: give one of the two, capture or bypass',
    );
  if (scopeField !== undefined) {
    if (capture !== true)
      throw configurationError(
        name,
        'scopeField',
        'is for documents that are captured: give capture: true too',
      );
    if (typeof scopeField !== 'string' || !isOwnPath(scopeField))
      throw configurationError(
        name,
        'scopeField',
        'must be the dotted path of a field of the documents, and no _id or _sync_*',
      );
  }
  if (capture === true && ids === 'scoped')
    throw configurationError(
      name,
      'capture',
      "needs ids: 'global': other code writes documents under its own ids, which hold no scope",
    );
}

/** Whether a dotted path names a field of the app's. */
export function isOwnPath(path: string): boolean {
  const steps = path.split('.');
  return steps.every((step) => step !== '' && !step.startsWith('$')) && !/^(_id$|_sync_)/.test(path);
}

function checkName(name: unknown, reserved: readonly string[]): void {
  const shown = JSON.stringify(name) ?? 'without a name';
  if (
    typeof name !== 'string' ||
    name.trim() !== name ||
    name === '' ||
    // A comma separates names in a query; the others are MongoDB's rules.
    /[,$\0]/.test(name) ||
    name.startsWith('system.') ||
    Buffer.byteLength(name) > MAX_NAME_BYTES
  )
    throw configurationError(
      shown,
      'name',
      `must be a MongoDB collection's name: 1 to ${MAX_NAME_BYTES} bytes, no "$", comma or NUL, not system.*`,
    );
  if (reserved.includes(name))
    throw configurationError(
      name,
      'name',
      'is one of the engine’s own collections; give the app’s collection another name, or set oplogCollection, headsCollection, receiptsCollection or leasesCollection',
    );
}
