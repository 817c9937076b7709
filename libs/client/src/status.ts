import type { ClientStorage, StorageEstimate } from './storage.ts';
import type { Pusher, PusherState } from './pusher.ts';
import type { Reader } from './reader.ts';
import type { Replica } from './replica.ts';
import type { BlockedBy, Position, ReaderState } from './rules/reader-state.ts';

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
   *   paused       `client.pause()`
   *   following    another tab sends and reads; edits and queries work here as well
   *   closed       not opened, or logged out
   */
  readonly phase:
    | 'opening'
    | 'loading'
    | 'catching-up'
    | 'live'
    | 'polling'
    | 'offline'
    | 'waiting'
    | 'blocked'
    | 'paused'
    | 'following'
    | 'closed';
  readonly blockedBy?: BlockedBy;
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
  /** The last failure of what is being tried again: codes of docs/protocol.md, or `network`. */
  readonly error?: { readonly code: string; readonly message: string };
}

export const CLOSED = (storage: Pick<ClientStorage, 'kind'>): Status => ({
  phase: 'closed',
  pending: 0,
  sending: 0,
  rejected: 0,
  storage: { kind: storage.kind, persisted: false },
});

export function statusOf(
  replica: Replica,
  reader: Pick<Reader, 'state' | 'lastContactAt' | 'lastCaughtUpAt'>,
  pusher: Pick<Pusher, 'state'>,
  facts: {
    readonly storage: Status['storage'];
    readonly rejected: number;
    readonly isPaused: boolean;
    readonly isFollowing: boolean;
    readonly position: Position | undefined;
  },
): Status {
  const pending = replica.pending();
  const [first] = pending;
  const { lastContactAt, lastCaughtUpAt, state } = reader;
  const load = facts.position?.load;
  const held = heldBy(state) ?? heldBy(pusher.state);
  return {
    phase: facts.isFollowing ? 'following' : facts.isPaused ? 'paused' : phaseOf(state, pusher.state),
    ...(held?.phase === 'blocked' ? { blockedBy: held.by } : {}),
    pending: pending.length,
    sending: pusher.state.phase === 'sending' ? pusher.state.count : 0,
    rejected: facts.rejected,
    ...(first ? { oldestPendingAt: first.editedAt } : {}),
    ...(lastContactAt === undefined ? {} : { lastContactAt }),
    ...(lastCaughtUpAt === undefined ? {} : { lastCaughtUpAt }),
    ...(load ? { progress: { rows: load.rows, ...(load.of === undefined ? {} : { of: load.of }) } } : {}),
    ...(held
      ? { retryAt: held.until, error: { code: held.failure.code, message: held.failure.message } }
      : {}),
    storage: facts.storage,
  };
}

function heldBy(state: ReaderState | PusherState): Extract<ReaderState, { failure: unknown }> | undefined {
  return state.phase === 'waiting' || state.phase === 'blocked' ? state : undefined;
}

function phaseOf(reader: ReaderState, pusher: PusherState): Status['phase'] {
  if (reader.phase === 'waiting') return reader.failure.code === 'network' ? 'offline' : 'waiting';
  // A push that is blocked is something that the user has to know, however well reading works.
  if (pusher.phase === 'blocked') return 'blocked';
  return reader.phase === 'sweeping' ? 'loading' : reader.phase;
}
