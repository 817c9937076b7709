import { parseHlc, type Operation } from 'nest-offline-sync-protocol';
import type { ConflictStrategy, DeleteUpdatePolicy, CollectionRules } from './conflict';

/** What is known of the stored document when a change meets it. */
export interface CurrentState {
  /** Null: stored before it was synced. Such a document conflicts with nothing. */
  readonly version: string | null;
  /** The edit stamp of its last winner, else its version. */
  readonly stamp: string | null;
  readonly deleted: boolean;
}

export interface IncomingChange {
  readonly operation: Operation;
  /** The version that the client built upon: its parent, or what this request has already made of the document. */
  readonly parent: string | null;
  readonly hlc: string | null;
  /**
   * The parent is the client's own change of the same request, and what the server made of that (a merge, a resolver's
   * document) holds more than the client has seen. Strategies that join both sides go on joining then.
   */
  readonly unseen?: boolean;
  /** Of a patch: none of the fields that it sets was changed by anybody else. What it adds and removes commutes. */
  readonly apart?: boolean;
}

export type Judgement =
  /** No conflict: take the change. */
  | { readonly kind: 'accept' }
  /** A patch, and no document. */
  | { readonly kind: 'missing' }
  /** Both sides have deleted the document: nothing to write. */
  | { readonly kind: 'already_deleted' }
  /** A conflict that the change wins. */
  | { readonly kind: 'overrule' }
  | { readonly kind: 'reject'; readonly code: 'conflict_stale' | 'conflict_deleted' }
  /** Merge by field; without a base the side that is `newer` wins as a whole, a patch with the fields that it sets. */
  | { readonly kind: 'merge'; readonly newer: 'current' | 'incoming' }
  /** Ask the app's resolver. */
  | { readonly kind: 'resolve' };

/** How a collection's conflicts are judged: by a strategy of ours, or by the app's resolver. */
type Strategy = ConflictStrategy | 'custom';
/** Which side was edited last. */
type Newer = 'current' | 'incoming';

/** What one strategy says of a change that does not build on the document's version. */
interface StrategyRow {
  /** Both sides go into the result: an upsert on a result that its client has not seen is joined again. */
  readonly joins: boolean;
  /** An edit meets a tombstone that it may bring back. */
  readonly tombstone: Readonly<Record<Exclude<Operation, 'delete'>, Judgement>>;
  /** A change meets a live document. */
  readonly live: Readonly<Record<Operation, Readonly<Record<Newer, Judgement>>>>;
}

const ACCEPT: Judgement = { kind: 'accept' };
const OVERRULE: Judgement = { kind: 'overrule' };
const RESOLVE: Judgement = { kind: 'resolve' };
const STALE: Judgement = { kind: 'reject', code: 'conflict_stale' };
const STAYS_DELETED: Judgement = { kind: 'reject', code: 'conflict_deleted' };

const LAST_WINS = { current: STALE, incoming: OVERRULE } as const;
const JOINED = {
  current: { kind: 'merge', newer: 'current' },
  incoming: { kind: 'merge', newer: 'incoming' },
} as const;

/** Every strategy and every operation has its place here: one that is only named elsewhere does not compile. */
const STRATEGIES: Readonly<Record<Strategy, StrategyRow>> = {
  'last-writer-wins': {
    joins: false,
    tombstone: { upsert: OVERRULE, patch: OVERRULE },
    live: { upsert: LAST_WINS, delete: LAST_WINS, patch: JOINED },
  },
  'reject-stale': {
    joins: false,
    tombstone: { upsert: STALE, patch: STAYS_DELETED },
    live: { upsert: always(STALE), delete: always(STALE), patch: always(STALE) },
  },
  'client-wins': {
    joins: false,
    tombstone: { upsert: OVERRULE, patch: OVERRULE },
    live: { upsert: always(OVERRULE), delete: always(OVERRULE), patch: always(OVERRULE) },
  },
  merge: {
    joins: true,
    tombstone: { upsert: OVERRULE, patch: OVERRULE },
    live: { upsert: JOINED, delete: LAST_WINS, patch: JOINED },
  },
  custom: {
    joins: true,
    tombstone: { upsert: RESOLVE, patch: RESOLVE },
    live: { upsert: always(RESOLVE), delete: always(RESOLVE), patch: always(RESOLVE) },
  },
};

/** What comes before the strategy where one side deletes and the other one edits. */
const POLICIES: Readonly<
  Record<DeleteUpdatePolicy, { readonly revives: boolean; readonly deleteWins: boolean }>
> = {
  resurrect_on_update: { revives: true, deleteWins: false },
  reject_update: { revives: false, deleteWins: false },
  delete_wins: { revives: false, deleteWins: true },
};

function always(judgement: Judgement): Record<Newer, Judgement> {
  return { current: judgement, incoming: judgement };
}

/** Whether edit stamps decide about a strategy's conflicts. */
export function hasStamps(strategy: Strategy): boolean {
  return strategy === 'last-writer-wins' || strategy === 'merge';
}

/** Whether both sides go into what a strategy makes of a conflict. */
export function joinsSides(strategy: Strategy): boolean {
  return STRATEGIES[strategy].joins;
}

/**
 * How a change and the stored document get along. The heart of every conflict strategy: a pure decision, the same in
 * every process. The strategies are described in docs/protocol.md, Conflicts.
 */
export function judge(
  current: CurrentState | undefined,
  change: IncomingChange,
  rules: CollectionRules,
): Judgement {
  if (!current && change.operation === 'patch') return { kind: 'missing' };
  if (!current || current.version === null) return ACCEPT;
  const { operation } = change;
  const [deletes, patches] = [operation === 'delete', operation === 'patch'];
  if (current.deleted && deletes) return { kind: 'already_deleted' };
  const { joins, tombstone, live } = STRATEGIES[rules.strategy];
  const joinsAgain = change.unseen === true && (joins || patches) && !deletes;
  // Of a tombstone that its sender has seen there is nothing left to patch.
  if (change.parent === current.version && !joinsAgain)
    return patches && current.deleted ? STAYS_DELETED : ACCEPT;

  const { revives, deleteWins } = POLICIES[rules.deleteUpdatePolicy];
  if (current.deleted) return revives ? tombstone[patches ? 'patch' : 'upsert'] : STAYS_DELETED;
  if (deletes && deleteWins) return OVERRULE;
  if (patches && change.apart === true) return ACCEPT;
  const isNewest = isNewer(change.hlc ?? change.parent, current.stamp ?? current.version);
  return live[operation][isNewest ? 'incoming' : 'current'];
}

/**
 * Whether an edit stamp is not older than the stored one. Equal time and counter count as newer when one of the two is
 * a legacy stamp without a node; otherwise the node decides, so that every process says the same.
 */
export function isNewer(incoming: string | null, stored: string): boolean {
  if (incoming === null) return false;
  const [a, b] = [parseHlc(incoming), parseHlc(stored)];
  if (!a || !b) return incoming >= stored;
  const byTime = a.ms - b.ms || a.counter - b.counter;
  return byTime !== 0 ? byTime > 0 : a.node === '' || b.node === '' || a.node >= b.node;
}
