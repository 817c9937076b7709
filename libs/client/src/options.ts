import type { AuthOptions } from './auth.ts';
import type { Definitions } from './collection.ts';
import type { Environment } from './environment.ts';
import type { BackoffLimits } from './rules/backoff.ts';
import type { PushLimits } from './rules/push-plan.ts';
import type { ClientStorage } from './storage.ts';
import { teller, type Tell, type TelemetryEvent } from './telemetry.ts';

export interface SyncClientOptions<C extends Definitions> {
  /** Where the routes are: `https://api.example.com/sync`. */
  readonly url: string;
  /** The beginning of names of databases. Apps that share a storage have different ones. Default: `app`. */
  readonly app?: string;
  readonly storage: ClientStorage;
  readonly auth: AuthOptions;
  readonly collections: C;
  /** False: no socket. Or its address. Default: `stream` behind `url`. */
  readonly stream?: boolean | string;
  /**
   * False: each edit is sent on its own. What a collection says of itself comes first. Edits of one document inside a transaction are
   * always one. Default: true.
   */
  readonly coalesce?: boolean;
  /** Which data model this version of the app has, for the server to refuse what is too old: text of 1 to 128 bytes, or a safe integer. */
  readonly clientSchema?: string | number;
  readonly limits?: ClientLimits;
  readonly backoff?: BackoffOptions;
  /** For telemetry: counts and durations, and no data. Whatever it does, the client goes on. */
  readonly onEvent?: (event: TelemetryEvent) => void;
  /** In place of what the platform has. */
  readonly environment?: Partial<Environment>;
}

/** Sizes are of changes as JSON in UTF-8, and 128 bytes more for each. */
export interface ClientLimits {
  /** In one push; the server's own limit, if that is lower. Default: 1,000. */
  readonly maxPushChanges?: number;
  /** Default: 8 MiB. */
  readonly maxPushBytes?: number;
  /** More edits in one `client.transaction` are refused. Not above what the server takes in a push. Default: 1,000. */
  readonly maxTransactionChanges?: number;
  /** Default: 8 MiB. */
  readonly maxTransactionBytes?: number;
}

/** The wait after a failure: by chance up to `baseMs`, twice that after the next one, and so on up to `maxMs`. */
export interface BackoffOptions {
  /** Milliseconds. Default: 1,000. */
  readonly baseMs?: number;
  /** Milliseconds. Default: 60,000. */
  readonly maxMs?: number;
}

/** Options that have defaults, as the parts of the client use them. */
export interface Tuning {
  readonly push: PushLimits;
  readonly transaction: PushLimits;
  readonly backoff: BackoffLimits;
  /** As it travels. */
  readonly clientSchema: string | undefined;
  readonly tell: Tell;
}

const CHANGES = 1_000;
const BYTES = 8 * 1_048_576;

export function tuningOf({
  limits = {},
  backoff = {},
  clientSchema,
  onEvent,
}: Pick<SyncClientOptions<Definitions>, 'limits' | 'backoff' | 'clientSchema' | 'onEvent'>): Tuning {
  const {
    maxPushChanges = CHANGES,
    maxPushBytes = BYTES,
    maxTransactionChanges = CHANGES,
    maxTransactionBytes = BYTES,
  } = limits;
  const { baseMs = 1_000, maxMs = 60_000 } = backoff;
  return {
    push: { changes: maxPushChanges, bytes: maxPushBytes },
    transaction: { changes: maxTransactionChanges, bytes: maxTransactionBytes },
    backoff: { baseMs, maxMs },
    clientSchema: clientSchema === undefined ? undefined : String(clientSchema),
    tell: teller(onEvent),
  };
}
