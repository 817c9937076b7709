import { SyncError } from 'nest-offline-sync-protocol';
import type { SyncModuleExtras, SyncOptions } from './sync.options';
import { OPTION_ROWS, optionRows, plainPath, problemWith } from './value';

/** SyncModuleExtras with every default filled in, as SYNC_EXTRAS gives them. */
export interface SyncExtras extends Required<Omit<SyncModuleExtras, 'connectionName'>> {
  /** Segments joined by `/`, without one at either end. */
  readonly prefix: string;
  /** Begins with `/`. The app's global prefix stands before it, unless it was given. */
  readonly streamPath: string;
  readonly streamPathIsGiven: boolean;
  readonly connectionName: string | undefined;
}

type ExtraName = keyof SyncModuleExtras;

/** Every extra by name: the module's builder takes these out of the options. */
export const EXTRA_DEFAULTS = Object.fromEntries(
  optionRows()
    .filter(([, { section }]) => section === 'start')
    .map(([name, row]) => [name, row.default]),
) as { readonly [name in ExtraName]: SyncModuleExtras[name] };

/**
 * Fills in the defaults and checks both paths.
 *
 * @throws SyncError `configuration`, naming the option and what it may be
 */
export function resolveExtras(extras: SyncModuleExtras): SyncExtras {
  const prefix = path('prefix', extras.prefix ?? EXTRA_DEFAULTS.prefix);
  return {
    prefix,
    streamPath: `/${path('streamPath', extras.streamPath ?? `${prefix}/stream`)}`,
    streamPathIsGiven: extras.streamPath !== undefined,
    isGlobal: flag('isGlobal', extras),
    http: flag('http', extras),
    stream: flag('stream', extras),
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
    if (value === undefined || KNOWN.includes(name)) continue;
    if (Object.hasOwn(EXTRA_DEFAULTS, name))
      throw bad(
        name,
        `Option ${name} comes too late from the options factory: routes are made before it runs. Write it next to useFactory: forRootAsync({ ${name}: …, useFactory: … }).`,
      );
    throw bad(name, `There is no option ${name}.${suggestion(name)}`);
  }
}

/** What forRoot takes apart from the extras. */
const KNOWN: readonly string[] = optionRows()
  .filter(([name, { section }]) => section !== 'start' && !name.includes('.'))
  .map(([name]) => name);

function suggestion(name: string): string {
  const plain = (text: string): string => text.replace(/[^a-z]/gi, '').toLowerCase();
  const meant = KNOWN.find((known) => plain(known) === plain(name));
  return meant === undefined ? '' : ` Did you mean ${meant}?`;
}

/** Without slashes at its ends. */
function path(option: 'prefix' | 'streamPath', value: unknown): string {
  checkExtra(option, value);
  return plainPath(value) ?? '';
}

function flag(option: 'isGlobal' | 'http' | 'stream', extras: SyncModuleExtras): boolean {
  const value = extras[option] === undefined ? EXTRA_DEFAULTS[option] : extras[option];
  checkExtra(option, value);
  return value === true;
}

function checkExtra(option: ExtraName, value: unknown): void {
  const problem = problemWith(OPTION_ROWS[option], value);
  if (problem !== undefined) throw bad(option, `Option ${option} ${problem}.`);
}

function bad(option: string, message: string): SyncError {
  return new SyncError('configuration', `SyncModule: ${message}`, option === '' ? {} : { path: option });
}
