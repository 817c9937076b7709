import { isObject } from 'nest-offline-sync-protocol';
import type { ToldOutcome } from './outcome.ts';
import type { SyncStatus } from './status.ts';

/**
 * What the tabs of one user say to each other. Tabs of an older or newer version of an app may be among them: what is not understood is
 * left out, and `ask` and `here` never change.
 */
export type TabMessage =
  /** Is the leader there? */
  | { readonly type: 'ask' }
  /** It is. `isNew`: since now; who has scopes open says so. `stands`: by database. */
  | {
      readonly type: 'here';
      readonly isNew: boolean;
      readonly isPaused: boolean;
      readonly stands: Readonly<Record<string, SyncStatus>>;
    }
  /** To the leader: this replica is open somewhere, so it has to be read and sent. */
  | { readonly type: 'open'; readonly database: string; readonly scope: string | undefined }
  /** Of the leader: how it stands. */
  | { readonly type: 'stands'; readonly database: string; readonly status: SyncStatus }
  /** Of any tab: what it has written. */
  | { readonly type: 'wrote'; readonly database: string; readonly outcome: ToldOutcome }
  /** To the leader: somebody waits. */
  | { readonly type: 'kick'; readonly database: string }
  /** For all. */
  | { readonly type: 'pause'; readonly isPaused: boolean }
  /** To the leader: sync once, and answer with `synced`. */
  | { readonly type: 'sync'; readonly id: string; readonly database: string; readonly ms: number }
  | { readonly type: 'synced'; readonly id: string; readonly isDone: boolean }
  /** The user has logged out. */
  | { readonly type: 'end' };

export function isTabMessage(message: unknown): message is TabMessage {
  return isObject(message) && typeof message['type'] === 'string';
}
