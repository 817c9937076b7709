import type { ClientStorage, StorageEstimate } from './storage.ts';
import type { Pusher, PusherState } from './pusher.ts';
import type { Reader } from './reader.ts';
import type { Replica } from './replica.ts';
import { NO_TOKEN } from './rules/failure.ts';
import type { BlockedBy, Phase, Position, ReaderState } from './rules/reader-state.ts';

/** How the sync stands. Times are of the device's clock, milliseconds since 1970. */
export interface Status {
  /**
   *   opening      finds out what the server is
   *   loading      loads everything, for the first time or again
   *   catching-up  reads what happened meanwhile
   *   live         follows what happens as it does
   *   polling      asks now and then, because a socket cannot be had
   *   offline      the server cannot be reached; tried again at `retryAt`
   *   waiting      the server cannot answer just now; tried again at `retryAt`
   *   blocked      see `blockedBy`; tried again at `retryAt`, and with the next token
   *   paused       `client.pause()`, in any tab
   *   closed       not opened, or logged out
   */
  readonly phase: Phase;
  readonly blockedBy?: BlockedBy;
  /** It is this tab that reads and sends. The phase is told by that one, and the same in all. */
  readonly leader: boolean;
  /** Edits that the server has not answered. */
  readonly pending: number;
  /** Of these on their way just now. */
  readonly sending: number;
  /** Entries in quarantine: the user has to decide. */
  readonly rejected: number;
  readonly oldestPendingAt?: number;
  readonly lastContactAt?: number;
  readonly lastCaughtUpAt?: number;
  /** While loading. */
  readonly progress?: { readonly rows: number; readonly of?: number };
  readonly retryAt?: number;
  /** Where the data is, and how much room there is: as of the opening, and of the last time that something changed that. */
  readonly storage: { readonly kind: string } & StorageEstimate;
  /**
   * The last failure of what is being tried again: codes of docs/protocol.md, or `network`, or `fenced` (another process on the same
   * data has begun to read and send, and this platform does not tell when it ends).
   */
  readonly error?: { readonly code: string; readonly message: string };
}

/** What the tab that reads and sends tells the others. What is stored on the device each one knows itself. */
export type SyncStatus = Omit<Status, 'leader' | 'pending' | 'rejected' | 'oldestPendingAt' | 'storage'>;

export const OPENING: SyncStatus = { phase: 'opening', sending: 0 };

export const CLOSED = (storage: Pick<ClientStorage, 'kind'>): Status => ({
  phase: 'closed',
  leader: false,
  pending: 0,
  sending: 0,
  rejected: 0,
  storage: { kind: storage.kind, persisted: false },
});

export function syncStatus(
  reader: Pick<Reader, 'state' | 'lastContactAt' | 'lastCaughtUpAt'>,
  pusher: Pick<Pusher, 'state'>,
  facts: {
    readonly isPaused: boolean;
    readonly position: Position | undefined;
    /** It may not lead just now. */
    readonly standby: Held | undefined;
  },
): SyncStatus {
  const { lastContactAt, lastCaughtUpAt, state } = reader;
  const load = facts.position?.load;
  const held = facts.standby ?? heldBy(state) ?? heldBy(pusher.state);
  return {
    phase: facts.isPaused ? 'paused' : facts.standby ? 'waiting' : phaseOf(state, pusher.state),
    ...(held?.phase === 'blocked' ? { blockedBy: held.by } : {}),
    sending: pusher.state.phase === 'sending' ? pusher.state.count : 0,
    ...(lastContactAt === undefined ? {} : { lastContactAt }),
    ...(lastCaughtUpAt === undefined ? {} : { lastCaughtUpAt }),
    ...(load
      ? {
          progress: {
            rows: load.rows + (load.partRows ?? 0),
            ...(load.of === undefined ? {} : { of: load.of }),
          },
        }
      : {}),
    ...(held
      ? { retryAt: held.until, error: { code: held.failure.code, message: held.failure.message } }
      : {}),
  };
}

/** @param sync of this tab, or as the leader told it */
export function statusOf(
  sync: SyncStatus,
  leader: boolean,
  replica: Pick<Replica, 'pending'>,
  rejected: number,
  storage: Status['storage'],
): Status {
  const pending = replica.pending();
  const [first] = pending;
  return {
    ...sync,
    leader,
    pending: pending.length,
    rejected,
    ...(first ? { oldestPendingAt: first.editedAt } : {}),
    storage,
  };
}

export type Held = Extract<ReaderState, { failure: unknown }>;

function heldBy(state: ReaderState | PusherState): Held | undefined {
  return state.phase === 'waiting' || state.phase === 'blocked' ? state : undefined;
}

/** Without network, neither is there. */
const AWAY = new Set(['network', NO_TOKEN]);

function phaseOf(reader: ReaderState, pusher: PusherState): Status['phase'] {
  if (reader.phase === 'waiting') return AWAY.has(reader.failure.code) ? 'offline' : 'waiting';
  // A push that is blocked is something that the user has to know, however well reading works.
  if (pusher.phase === 'blocked') return 'blocked';
  return reader.phase === 'sweeping' ? 'loading' : reader.phase;
}
