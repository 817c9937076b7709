import { parseHlc } from '../clock/hlc';
import type { Operation } from '../protocol/change';
import type { CollectionRules } from '../collections/collection';

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
}

export type Judgement =
  /** No conflict: take the change. */
  | { readonly kind: 'accept' }
  /** Both sides have deleted the document: nothing to write. */
  | { readonly kind: 'already_deleted' }
  /** A conflict that the change wins. */
  | { readonly kind: 'overrule' }
  | { readonly kind: 'reject'; readonly code: 'conflict_stale' | 'conflict_deleted' }
  /** Merge by field; without a base the side that is `newer` wins as a whole. */
  | { readonly kind: 'merge'; readonly newer: 'current' | 'incoming' }
  /** Ask the app's resolver. */
  | { readonly kind: 'resolve' };

/**
 * How a change and the stored document get along. The heart of every conflict strategy: a pure decision, the same in
 * every process. Strategies are told in docs/protocol.md, Conflicts.
 */
export function judge(
  current: CurrentState | undefined,
  change: IncomingChange,
  rules: CollectionRules,
): Judgement {
  if (!current || current.version === null) return { kind: 'accept' };
  if (current.deleted && change.operation === 'delete') return { kind: 'already_deleted' };
  const joins = rules.strategy === 'merge' || rules.strategy === 'custom';
  const unseen = change.unseen === true && joins && change.operation === 'upsert';
  if (change.parent === current.version && !unseen) return { kind: 'accept' };

  if (change.operation === 'upsert' && current.deleted) {
    if (rules.deleteUpdatePolicy !== 'resurrect_on_update')
      return { kind: 'reject', code: 'conflict_deleted' };
    if (rules.strategy === 'custom') return { kind: 'resolve' };
    if (rules.strategy === 'reject-stale') return { kind: 'reject', code: 'conflict_stale' };
    return { kind: 'overrule' };
  }
  if (change.operation === 'delete' && rules.deleteUpdatePolicy === 'delete_wins')
    return { kind: 'overrule' };

  const newer = isNewer(change.hlc ?? change.parent, current.stamp ?? current.version)
    ? 'incoming'
    : 'current';
  switch (rules.strategy) {
    case 'custom':
      return { kind: 'resolve' };
    case 'reject-stale':
      return { kind: 'reject', code: 'conflict_stale' };
    case 'client-wins':
      return { kind: 'overrule' };
    case 'merge':
      if (change.operation === 'upsert') return { kind: 'merge', newer };
      break;
    case 'last-writer-wins':
      break;
  }
  return newer === 'incoming' ? { kind: 'overrule' } : { kind: 'reject', code: 'conflict_stale' };
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
