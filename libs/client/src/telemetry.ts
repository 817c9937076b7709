import type { AfterClose } from './rules/failure.ts';
import type { BlockedBy, Phase } from './rules/reader-state.ts';

/** Why a token is asked for: none is there, the one at hand is about to end, or the server refused it. */
export type TokenReason = 'first' | 'expiring' | 'refused';

/**
 * What has happened, for telemetry. Counts, durations in milliseconds and codes: no ids, names, messages, documents or tokens. Told by
 * the tab that does it.
 */
export type TelemetryEvent =
  /** The phase of a scope is another one. `ms`: how long the one before it was. */
  | {
      readonly type: 'phase';
      readonly phase: Phase;
      readonly blockedBy?: BlockedBy | undefined;
      readonly ms: number;
    }
  /** A push was answered. `isRetry`: it was sent before, and the answer was missing. */
  | {
      readonly type: 'push';
      readonly changes: number;
      readonly accepted: number;
      readonly resolved: number;
      readonly rejected: number;
      readonly isRetry: boolean;
      readonly ms: number;
    }
  /** Changes were pulled and stored. */
  | { readonly type: 'pull'; readonly changes: number; readonly ms: number }
  /** Everything was loaded. How long that took: the `ms` of the phase that comes next. */
  | { readonly type: 'load'; readonly rows: number }
  /** A subscription of the socket has ended. `after`: what is done about it. */
  | { readonly type: 'stream'; readonly wasLive: boolean; readonly after: AfterClose }
  /** Sending or reading has failed, and is tried again after `retryMs` at the latest. */
  | {
      readonly type: 'failure';
      readonly of: 'push' | 'read';
      /** The server's, or `network`, `no_token`, `storage_full` and the like. */
      readonly code: string;
      readonly retryMs: number;
    }
  /** `auth.token` was called. */
  | {
      readonly type: 'token';
      readonly reason: TokenReason;
      readonly isGiven: boolean;
      readonly ms: number;
    };

export type Tell = (event: TelemetryEvent) => void;

/** Later, and out of the way: what a listener throws, or asks of the client, changes nothing of what is going on. */
export function teller(onEvent: ((event: TelemetryEvent) => unknown) | undefined): Tell {
  return (event) => {
    if (onEvent)
      void Promise.resolve(event)
        .then(onEvent)
        .catch(() => undefined);
  };
}
