import { OPTION_TABLE, type SyncModuleExtras, type SyncOptions } from 'nest-offline-sync';
import type { Environment } from './environment';
import { signingSecret } from './signing-secret';
import { SYNC_VARIABLES, type SyncVariable } from './sync-variables';

/** A business is a scope: its people share one log, and see nothing of another business. */
export const DEMO_DEFAULTS = { actorIdField: 'user_id', scopeIdField: 'business_id' } as const;

/** What the options factory of SyncModule.forRootAsync returns. */
export function syncOptions(environment: Environment): SyncOptions {
  const { jwt, ...options } = fromVariables(environment, (variable) => !isExtra(variable)) as SyncOptions;
  const secret = signingSecret(environment);
  return {
    ...DEMO_DEFAULTS,
    ...options,
    jwt: { ...jwt, ...(secret === undefined ? {} : { secret }) },
  };
}

/** What is given next to the options factory. */
export function syncExtras(environment: Environment): SyncModuleExtras {
  return fromVariables(environment, isExtra);
}

/** Path of the HTTP routes, without slashes at its ends. */
export function syncPrefix(environment: Environment): string {
  return (environment.SYNC_PREFIX ?? OPTION_TABLE.prefix.default).replace(/^\/|\/$/g, '');
}

/** Path of the WebSocket. */
export function streamPath(environment: Environment): string {
  return `/${(environment.SYNC_STREAM_PATH ?? `${syncPrefix(environment)}/stream`).replace(/^\//, '')}`;
}

/** The variable behind an option, for messages: `limits.maxDepth` comes from SYNC_MAX_DEPTH. */
export function variableOf(option: string): string | undefined {
  return SYNC_VARIABLES.find((variable) => variable.option === option)?.name;
}

/** SyncModule has to know these before DI: they are given next to `useFactory`. */
function isExtra({ row }: SyncVariable): boolean {
  return row.section === 'start';
}

function fromVariables(environment: Environment, wanted: (variable: SyncVariable) => boolean): object {
  const target: Record<string, unknown> = {};
  for (const variable of SYNC_VARIABLES) {
    const { name, option } = variable;
    const value = environment[name];
    if (value === undefined || !wanted(variable)) continue;
    const [first = option, second] = option.split('.');
    if (second === undefined) target[first] = value;
    else target[first] = { ...(target[first] as object | undefined), [second]: value };
  }
  return target;
}
