import type { Failure } from './failure.ts';
import { waitFor, type BackoffLimits } from './backoff.ts';

/**
 * Where a reader stands, kept in the database: written in the same transaction as what was read.
 *
 *            load
 *   nothing ------> loading --pages--> sweeping --> reading (has a cursor)
 *                      ^                               |
 *                      +-------- full_resync_required -+
 */
export interface Position {
  /** Everything up to here is in the base. Missing while a load of everything is on its way. */
  readonly cursor?: string | undefined;
  /** The collections for which the cursor counts. */
  readonly covered?: readonly string[] | undefined;
  readonly load?: Load | undefined;
  /** Of the last load that was begun; 0: none. */
  readonly generation: number;
  /** A load has been whole once: what is shown is complete, if maybe old. */
  readonly isComplete: boolean;
}

export interface Load {
  /** Missing: of everything that gives a full resync, page by page. Else of this collection alone, which gives none: from its log. */
  readonly part?: string | undefined;
  /** What the last page was asked for. */
  readonly collections?: readonly string[] | undefined;
  /** `X-Sync-LastSeq` of the first page; missing until it has come. */
  readonly lastSeq?: string | undefined;
  /** The next page's cursor; missing on the first page. */
  readonly page?: string | undefined;
  /** All pages are here: what older loads have left is being removed. */
  readonly isSweeping: boolean;
  /** Nothing was here when it began: older loads have left nothing. */
  readonly isFirst?: true | undefined;
  /** Of whole pages. */
  readonly rows: number;
  /** Of a page that has not come to its end. */
  readonly partRows?: number | undefined;
  /** About how many there are. */
  readonly of?: number | undefined;
}

/** What was stored of a page, since it was asked for. */
export interface Loaded {
  readonly lastSeq: string;
  readonly rows: number;
  /** Missing: the page goes on. Null: it was the last one. */
  readonly next?: string | null | undefined;
  readonly of?: number | undefined;
  readonly collections?: readonly string[];
}

/**
 * A load from the beginning; the cursor is given up at once, so that nothing counts as read up to it (R7).
 *
 * @param isEmpty there is no row yet
 */
export function begunLoad({ generation, isComplete }: Position, isEmpty = false): Position {
  const load: Load = { isSweeping: false, rows: 0, ...(isEmpty ? { isFirst: true } : {}) };
  return { generation: generation + 1, isComplete, load };
}

/** A load of a collection that gives no full resync. Everything else stays as it is. */
export function begunPart(position: Position, part: string): Position {
  return { ...position, load: { part, isSweeping: false, rows: 0 } };
}

/** A page of a load has been stored, or the beginning of one. */
export function pageLoaded(position: Position, page: Loaded): Position {
  const { load } = position;
  if (!load) return position;
  const { next, rows } = page;
  return {
    ...position,
    load: {
      ...load,
      collections: page.collections ?? load.collections,
      lastSeq: load.lastSeq ?? page.lastSeq,
      of: load.of ?? page.of,
      ...(next === undefined
        ? { partRows: rows }
        : { page: next ?? undefined, isSweeping: next === null, rows: load.rows + rows, partRows: 0 }),
    },
  };
}

/**
 * The load is whole, and nothing of older ones is left.
 *
 * @param readable everything that may be read: what no load has brought yet is loaded next
 */
export function loadEnded(position: Position, readable: readonly string[]): Position {
  const { generation, cursor, load } = position;
  const covered =
    load?.part === undefined ? (load?.collections ?? []) : [...(position.covered ?? []), load.part];
  const isWhole = readable.every((name) => covered.includes(name));
  return {
    generation,
    isComplete: position.isComplete || isWhole,
    covered,
    cursor: load?.part === undefined ? load?.lastSeq : cursor,
  };
}

/** A collection that may be read, and was never loaded, or not since it could not be read for a while; of the loadable ones first. */
export function uncovered(
  { cursor, covered, load }: Position,
  readable: readonly string[],
  loadable: readonly string[],
): string | undefined {
  if (cursor === undefined || load) return undefined;
  return [...loadable, ...readable].find((name) => !covered?.includes(name));
}

export type BlockedBy = 'auth' | 'forbidden' | 'identity' | 'outdated' | 'storage';

/** What a reader does next. `until` is of the device's clock, milliseconds. */
export type ReaderState =
  | { readonly phase: 'opening' }
  | { readonly phase: 'loading' }
  | { readonly phase: 'sweeping' }
  | { readonly phase: 'catching-up' }
  | { readonly phase: 'live' }
  /** Pulls now and then, because a socket cannot be had. */
  | { readonly phase: 'polling'; readonly until: number }
  | { readonly phase: 'waiting'; readonly until: number; readonly failure: Failure }
  | { readonly phase: 'blocked'; readonly by: BlockedBy; readonly until: number; readonly failure: Failure };

/** Of the status. */
export type Phase = Exclude<ReaderState['phase'], 'sweeping'> | 'offline' | 'paused' | 'closed';

/** What is remembered between steps, and lost with the process. */
export interface Temper {
  /** Failures in a row, of requests. */
  readonly failures: number;
  /** Sockets in a row that did not come to be. */
  readonly socketFailures: number;
  /** No socket before this time of the device's clock. */
  readonly noSocketUntil: number;
}

export const CALM: Temper = { failures: 0, socketFailures: 0, noSocketUntil: 0 };

export interface Conditions {
  readonly now: number;
  /** 0 to 1. */
  readonly chance: number;
  readonly hasSocket: boolean;
  readonly backoff: BackoffLimits;
}

const POLL_MS = 15_000;
const SOCKET_AGAIN_MS = 300_000;
const MAX_SOCKET_FAILURES = 3;
/** A block ends by an event (another token, a wake-up); this is for the event that never comes. */
const BLOCK_MS = { auth: 60_000, forbidden: 60_000, identity: 60_000, outdated: 600_000, storage: 30_000 };

/** The step that the position asks for. */
export function nextStep(
  position: Position,
  isCaughtUp: boolean,
  temper: Temper,
  at: Conditions,
): ReaderState {
  if (position.load) return { phase: position.load.isSweeping ? 'sweeping' : 'loading' };
  if (position.cursor === undefined) return { phase: 'loading' };
  if (!isCaughtUp) return { phase: 'catching-up' };
  if (at.hasSocket && at.now >= temper.noSocketUntil) return { phase: 'live' };
  const poll = at.now + Math.round(POLL_MS * (1 + 3 * at.chance));
  return { phase: 'polling', until: at.hasSocket ? Math.min(poll, temper.noSocketUntil) : poll };
}

/** After a request that failed. Each of these states has an end by itself. */
export function afterFailure(failure: Failure, temper: Temper, at: Conditions): [ReaderState, Temper] {
  const by = blockOf(failure);
  if (by) return [{ phase: 'blocked', by, until: at.now + BLOCK_MS[by], failure }, temper];
  const failures = temper.failures + 1;
  const until = at.now + waitFor(failures, at.chance, failure.retryAfterMs, at.backoff);
  return [
    { phase: 'waiting', until, failure },
    { ...temper, failures },
  ];
}

export function blockOf({ kind, code }: Failure): BlockedBy | undefined {
  if (kind === 'auth' || kind === 'forbidden' || kind === 'identity' || kind === 'outdated') return kind;
  return code === 'storage_full' ? 'storage' : undefined;
}

/** After a socket that never came to be, or broke at once. */
export function afterSocketFailure(temper: Temper, at: Conditions): Temper {
  const socketFailures = temper.socketFailures + 1;
  const isHopeless = socketFailures >= MAX_SOCKET_FAILURES;
  const pause = isHopeless ? SOCKET_AGAIN_MS : waitFor(socketFailures, at.chance, 0, at.backoff);
  return { ...temper, socketFailures, noSocketUntil: at.now + pause };
}
