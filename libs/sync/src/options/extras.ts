import { SyncError } from 'nest-offline-sync-protocol';
import type { SyncModuleExtras, SyncOptions } from './sync.options';

/** SyncModuleExtras with every default filled in, as SYNC_EXTRAS gives them. */
export interface SyncExtras extends Required<Omit<SyncModuleExtras, 'connectionName'>> {
  /** Segments joined by `/`, without one at either end. */
  readonly prefix: string;
  /** Begins with `/`. The app's global prefix stands before it, unless it was given. */
  readonly streamPath: string;
  readonly streamPathIsGiven: boolean;
  readonly connectionName: string | undefined;
}

/** Every extra by name: the module's builder takes these out of the options. */
export const EXTRA_DEFAULTS: { readonly [name in keyof Required<SyncModuleExtras>]: SyncModuleExtras[name] } =
  {
    prefix: 'sync',
    streamPath: undefined,
    isGlobal: true,
    http: true,
    stream: true,
    connectionName: undefined,
  };

/**
 * Fills in the defaults and checks both paths.
 *
 * @throws SyncError `configuration`, naming the option and what it may be
 */
export function resolveExtras(extras: SyncModuleExtras): SyncExtras {
  const prefix = path('prefix', extras.prefix ?? 'sync');
  return {
    prefix,
    streamPath: `/${path('streamPath', extras.streamPath ?? `${prefix}/stream`)}`,
    streamPathIsGiven: extras.streamPath !== undefined,
    isGlobal: flag('isGlobal', extras.isGlobal),
    http: flag('http', extras.http),
    stream: flag('stream', extras.stream),
    connectionName: extras.connectionName,
  };
}

/**
 * Looks over what a host gave, or its factory returned, before anything is read from it. An option that nobody knows
 * is refused: one written in another way (`scope_id_field`) would leave its default standing, and that default may
 * give each user of a tenant a separate scope.
 *
 * @throws SyncError `configuration`
 */
export function checkOptions(options: unknown): asserts options is SyncOptions {
  if (typeof options !== 'object' || options === null)
    throw bad('', 'The options factory returned no object. Return the options, or a promise of them.');
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || Object.hasOwn(KNOWN, name)) continue;
    if (Object.hasOwn(EXTRA_DEFAULTS, name))
      throw bad(
        name,
        `Option ${name} comes too late from the options factory: routes are made before it runs. Write it next to useFactory: forRootAsync({ ${name}: …, useFactory: … }).`,
      );
    throw bad(name, `There is no option ${name}.${suggestion(name)}`);
  }
}

function suggestion(name: string): string {
  const plain = (text: string): string => text.replace(/[^a-z]/gi, '').toLowerCase();
  const meant = Object.keys(KNOWN).find((known) => plain(known) === plain(name));
  return meant === undefined ? '' : ` Did you mean ${meant}?`;
}

/** Plain segments only: no parameters or wildcards, nothing that a router or a proxy would read in another way. */
function path(option: string, value: string): string {
  const segments = typeof value === 'string' ? value.replace(/^\/|\/$/g, '').split('/') : [];
  if (
    segments.length === 0 ||
    !segments.every((part) => /^[A-Za-z0-9._~-]+$/.test(part) && !/^\.+$/.test(part))
  )
    throw bad(
      option,
      `Option ${option} must be a path of letters, digits, dots, dashes, underscores and single slashes, such as api/sync. It is ${JSON.stringify(value)}.`,
    );
  return segments.join('/');
}

function flag(option: string, value: boolean | undefined): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? true;
  throw bad(option, `Option ${option} must be true or false.`);
}

function bad(option: string, message: string): SyncError {
  return new SyncError('configuration', `SyncModule: ${message}`, option === '' ? {} : { path: option });
}

// The type makes sure that none is forgotten.
const KNOWN: Record<keyof SyncOptions, true> = {
  collections: true,
  jwt: true,
  guard: true,
  user: true,
  actorIdField: true,
  scopeIdField: true,
  actorIdResolver: true,
  scopeIdResolver: true,
  expiresAt: true,
  allowedOrigins: true,
  authorizer: true,
  transform: true,
  batchAtomic: true,
  limits: true,
  defaultPullLimit: true,
  maxPullLimit: true,
  defaultFullLimit: true,
  maxFullLimit: true,
  hlcNodeId: true,
  maxDriftMs: true,
  oplogCollection: true,
  headsCollection: true,
  receiptsCollection: true,
  leasesCollection: true,
  oplogTtlDays: true,
  oplogMaxEntries: true,
  receiptTtlDays: true,
  trimIntervalMs: true,
  trimGraceMs: true,
  autoIndex: true,
  metricsEnabled: true,
  metricsRegistry: true,
  retryDeadlineMs: true,
  prepareTimeoutMs: true,
  lanes: true,
  pingIntervalMs: true,
  subscribeTimeoutMs: true,
  socketBufferBytes: true,
  shutdownTimeoutMs: true,
};
