import type { SyncModuleExtras, SyncOptions } from 'nest-offline-sync';
import type { Environment } from './environment';
import { signingSecret } from './signing-secret';
import { SYNC_VARIABLES, type SyncVariableName } from './sync-variables';

/** SyncModule has to know these before DI: they are given next to `useFactory`. */
const EXTRAS = ['prefix', 'streamPath', 'http', 'stream'];

/** What the options factory of SyncModule.forRootAsync returns. */
export function syncOptions(environment: Environment): SyncOptions {
  const { jwt, ...options } = fromVariables(environment, (path) => !EXTRAS.includes(path)) as SyncOptions;
  const secret = signingSecret(environment);
  return {
    // A business is a scope: its people share one log, and see nothing of another business.
    actorIdField: 'user_id',
    scopeIdField: 'business_id',
    ...options,
    jwt: { ...jwt, ...(secret === undefined ? {} : { secret }) },
  };
}

/** What is given next to the options factory. */
export function syncExtras(environment: Environment): SyncModuleExtras {
  return fromVariables(environment, (path) => EXTRAS.includes(path));
}

/** Path of the HTTP routes, without slashes at its ends. */
export function syncPrefix(environment: Environment): string {
  return (environment.SYNC_PREFIX ?? 'sync').replace(/^\/|\/$/g, '');
}

/** Path of the WebSocket. */
export function streamPath(environment: Environment): string {
  return `/${(environment.SYNC_STREAM_PATH ?? `${syncPrefix(environment)}/stream`).replace(/^\//, '')}`;
}

/** The variable behind an option, for messages: `limits.maxDepth` comes from SYNC_MAX_DEPTH. */
export function variableOf(option: string): string | undefined {
  return Object.entries(SYNC_VARIABLES).find(([, variable]) => variable.option === option)?.[0];
}

function fromVariables(environment: Environment, wanted: (path: string) => boolean): object {
  const target: Record<string, unknown> = {};
  for (const [name, { option }] of Object.entries(SYNC_VARIABLES)) {
    const value = environment[name as SyncVariableName];
    if (value === undefined || !wanted(option)) continue;
    const [first = option, second] = option.split('.');
    if (second === undefined) target[first] = value;
    else target[first] = { ...(target[first] as object | undefined), [second]: value };
  }
  return target;
}
