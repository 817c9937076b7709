import type { JsonObject } from 'nest-offline-sync-protocol';
import { wireOf, type Ledger } from './ledger';
import { Lineage, type Ancestry } from './lineage';
import { rebuilt } from './sent';
import {
  baseText,
  type BaseNeed,
  type Need,
  type PlanClock,
  type PlanRequest,
  type PlanSnapshot,
  type ReadyChange,
  type DocumentState,
} from './plan';

/** What the changes of one request are decided by, and what is noted on the way. */
export interface Planning {
  readonly snapshot: PlanSnapshot;
  readonly clock: PlanClock;
  readonly request: PlanRequest;
  readonly requestIndex: number;
  /** Of the request, or of the group that is decided: what it holds only counts when that stands. */
  readonly layer: Ledger;
  readonly lineage: Lineage;
  /** What the app's own code has to be asked first. */
  readonly needs: Need[];
  /** Documents that wait for such an answer: later changes of them wait too. */
  readonly pending: Set<string>;
  /** See {@link basisOf}. */
  readonly ownBasis: Map<string, string>;
  /** Documents that a group of the request changed which was rolled back: later changes may hold what it did. */
  readonly fallen: Set<string>;
  readonly mutations: MutationNotes;
  /** Of all requests of the plan, by {@link baseText}. */
  readonly missingBases: Map<string, BaseNeed>;
}

export interface MutationNotes {
  /** Some mutation leaves no receipt: only the stored ones can tell whether it was answered before. */
  leavesOut: boolean;
}

export function planningOf(
  { snapshot, clock, missingBases }: Pick<Planning, 'snapshot' | 'clock' | 'missingBases'>,
  request: PlanRequest,
  requestIndex: number,
  layer: Ledger,
): Planning {
  return {
    snapshot,
    clock,
    request,
    requestIndex,
    layer,
    lineage: new Lineage(),
    needs: [],
    pending: new Set(),
    ownBasis: new Map(),
    fallen: new Set(),
    mutations: { leavesOut: false },
    missingBases,
  };
}

/** The document as the client knew it: what it sent before, else the newest entry at or below the parent. */
export function baseOf(
  planning: Planning,
  change: ReadyChange,
  { parent, sent, difference }: Ancestry,
  current?: DocumentState,
): JsonObject | null | undefined {
  if (sent) return sent.data;
  if (parent === null) return undefined;
  const made =
    current?.version === parent ? wireOf(current, change.rules.form) : documentAt(planning, change, parent);
  return difference === undefined ? made : rebuilt(made, difference);
}

function documentAt(
  { snapshot, missingBases, request, layer }: Planning,
  change: ReadyChange,
  parent: string,
): JsonObject | null | undefined {
  // The parent may be a mutation of the same plan: the log does not have it yet.
  const planned = layer.stateAt(change.key, parent);
  if (planned?.scopeId === request.scopeId) return wireOf(planned, change.rules.form);
  return storedAt({ snapshot, missingBases }, change, request.scopeId, parent);
}

/** {@link PlanSnapshot.bases}: asked for where the snapshot lacks it, and then the plan is made again. */
export function storedAt(
  { snapshot, missingBases }: Pick<Planning, 'snapshot' | 'missingBases'>,
  { collection, key, storedId }: ReadyChange,
  scopeId: string,
  version: string,
): JsonObject | null | undefined {
  const text = baseText(scopeId, key, version);
  if (!snapshot.bases.has(text)) missingBases.set(text, { scopeId, collection, key, storedId, version });
  return snapshot.bases.get(text);
}

/**
 * What a resolver's answer rests on: the stored version, and the changes that this request itself has made since.
 * (Their versions are drawn again each time the request is planned.)
 */
export function basisOf({ ownBasis }: Planning, key: string, current: DocumentState | undefined): string {
  return ownBasis.get(key) ?? current?.version ?? '';
}
