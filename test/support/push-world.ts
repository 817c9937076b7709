import type { JsonObject, LogChange } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../../libs/sync/src/codec/stored-document';
import type { CollectionRules } from '../../libs/sync/src/plan/conflict';
import assert from 'node:assert/strict';
import type { EntryRecord, HeadRecord, ReceiptRecord } from '../../libs/sync/src/log/records';
import {
  baseText,
  receiptText,
  targetOf,
  type BaseNeed,
  type Need,
  type Plan,
  type PlanRequest,
  type PlanSnapshot,
  type ReadyChange,
  type ResolverNeed,
} from '../../libs/sync/src/plan/plan';
import { planToTheEnd } from '../../libs/sync/src/plan/planner';

export const DRIFT_MS = 60_000;

export const RULES = {
  writers: { strategy: 'last-writer-wins', deleteUpdatePolicy: 'resurrect_on_update' },
  strict: { strategy: 'reject-stale', deleteUpdatePolicy: 'reject_update' },
  clients: { strategy: 'client-wins', deleteUpdatePolicy: 'delete_wins' },
  merged: { strategy: 'merge', deleteUpdatePolicy: 'resurrect_on_update' },
  kept: { strategy: 'merge', deleteUpdatePolicy: 'delete_wins' },
  custom: { strategy: 'custom', deleteUpdatePolicy: 'resurrect_on_update' },
} as const satisfies Record<string, CollectionRules>;
export type CollectionName = keyof typeof RULES;

/** A database in memory that carries plans out as the real writer does, and refuses what it would refuse. */
export class PushWorld {
  readonly heads = new Map<string, HeadRecord>();
  readonly documents = new Map<string, StoredDocument>();
  readonly receipts = new Map<string, ReceiptRecord>();
  readonly log: EntryRecord[] = [];
  /** How much of a scope's log is trimmed. */
  readonly floors = new Map<string, number>();
  /** The end of the stamps that are drawn. */
  node = 'node';

  /** Records are never changed in place: the maps alone are copied. */
  clone(): PushWorld {
    const copy = new PushWorld();
    for (const field of ['heads', 'documents', 'receipts', 'floors'] as const)
      for (const [key, value] of this[field]) (copy[field] as Map<string, unknown>).set(key, value);
    copy.log.push(...this.log);
    copy.node = this.node;
    return copy;
  }

  /** As the committer does it: receipts are looked up when the plan asks for them, or when one is there already. */
  plan(requests: readonly PlanRequest[], wallMs: number): Plan {
    const { receipts, ...rest } = this.snapshot(requests);
    const plan = this.planFrom({ ...rest, receipts: undefined }, requests, wallMs);
    const exists = plan.receipts.some(({ _id }) =>
      this.receipts.has(receiptText(_id.scope, _id.client, _id.mutation)),
    );
    return exists ? this.planFrom({ ...rest, receipts }, requests, wallMs) : plan;
  }

  private planFrom(snapshot: PlanSnapshot, requests: readonly PlanRequest[], wallMs: number): Plan {
    const planning = planToTheEnd(snapshot, requests, { wallMs, node: this.node, maxDriftMs: DRIFT_MS });
    let step = planning.next();
    while (step.done !== true)
      step = planning.next(
        step.value.of === 'receipts'
          ? { receipts: new Map(this.receipts) }
          : { bases: new Map(step.value.needs.map((need) => this.baseFor(need))) },
      );
    return step.value;
  }

  private baseFor({
    scopeId,
    collection,
    storedId,
    key,
    version,
  }: BaseNeed): [string, JsonObject | null | undefined] {
    const floor = this.floors.get(scopeId) ?? 0;
    const entry = this.log.findLast(
      (each) =>
        each.scope === scopeId &&
        each.seq > floor &&
        each.collection === collection &&
        each.doc === storedId &&
        each.version <= version,
    );
    return [baseText(scopeId, key, version), entry && logged(entry).data];
  }

  /** One transaction: all of the plan, or an error. */
  apply(plan: Plan): void {
    for (const write of plan.writes) {
      const stored = this.documents.get(write.key);
      if (write.kind === 'insert' && stored) throw new Error('inserted twice');
      if (
        write.kind === 'replace' &&
        (stored?.['_sync_scope_id'] !== write.scopeId || stored['_sync_version'] !== write.expectedVersion)
      )
        throw new Error('a write that finds no document');
      this.documents.set(write.key, write.document);
    }
    for (const entry of plan.entries) {
      const last = this.log.findLast((each) => each.scope === entry.scope);
      if (entry.seq !== (last?.seq ?? 0) + 1) throw new Error('a gap in seq');
      if (entry.version <= (last?.version ?? '')) throw new Error('a version that does not rise');
      this.log.push(entry);
    }
    for (const receipt of plan.receipts) {
      const key = receiptText(receipt._id.scope, receipt._id.client, receipt._id.mutation);
      if (this.receipts.has(key)) throw new Error('a second receipt');
      this.receipts.set(key, receipt);
    }
    for (const { scopeId, fromSeq, version, seq } of plan.heads) {
      const head = this.heads.get(scopeId);
      if (head?.seq !== fromSeq) throw new Error('a head that moved');
      this.heads.set(scopeId, { ...head, _id: scopeId, version, seq, floor: '', floorSeq: 0 });
      const last = this.log.findLast((each) => each.scope === scopeId);
      if (last?.seq !== seq || last.version !== version)
        throw new Error('a head that does not match the log');
    }
    const moved = new Set(plan.heads.map((head) => head.scopeId));
    if (plan.entries.some((entry) => !moved.has(entry.scope))) throw new Error('entries without their head');
  }

  /** Tombstones up to a version may be gone: the head says so, then these go. */
  forget(scopeId: string, upTo: string, gone: ReadonlySet<string>): void {
    const head = this.heads.get(scopeId);
    if (!head) throw new Error('tombstones without a head');
    this.heads.set(scopeId, { ...head, tombstoneFloor: upTo });
    for (const key of gone) this.documents.delete(key);
  }

  versions(scopeId: string): string[] {
    return this.log.filter((entry) => entry.scope === scopeId).map((entry) => entry.version);
  }

  /** What a client that pulled everything has. */
  folded(scopeId: string): Map<string, JsonObject> {
    const state = new Map<string, JsonObject>();
    for (const entry of this.log) {
      if (entry.scope !== scopeId) continue;
      const { collection, doc_id: id, data } = logged(entry);
      const key = `${collection}/${String(id)}`;
      if (data) state.set(key, data);
      else state.delete(key);
    }
    return state;
  }

  /** What the business collections hold. */
  stored(scopeId: string): Map<string, JsonObject> {
    const state = new Map<string, JsonObject>();
    for (const [key, document] of this.documents) {
      if (document['_sync_scope_id'] !== scopeId || document['_sync_deleted'] === true) continue;
      const fields = Object.entries(document).filter(
        ([name]) => name !== '_id' && !name.startsWith('_sync_'),
      );
      state.set(key.replace('\0s', '/'), Object.fromEntries(fields) as JsonObject);
    }
    return state;
  }

  private snapshot(requests: readonly PlanRequest[]): PlanSnapshot {
    const documents = new Map<string, StoredDocument | 'foreign'>();
    const scopes = new Set(requests.map((request) => request.scopeId));
    for (const change of requests.flatMap(({ changes }) => changes)) {
      const key = targetOf(change)?.key;
      const stored = key === undefined ? undefined : this.documents.get(key);
      if (key === undefined || !stored) continue;
      const scope = stored['_sync_scope_id'];
      const isFree = scope === undefined && change.kind === 'ready' && change.observed !== undefined;
      documents.set(key, isFree || scopes.has(scope as string) ? stored : 'foreign');
    }
    return { heads: new Map(this.heads), receipts: new Map(this.receipts), documents, bases: new Map() };
  }
}

export function ready({ changes }: PlanRequest): ReadyChange[] {
  return changes.flatMap((entry) => (entry.kind === 'ready' ? [entry] : []));
}

function logged(entry: EntryRecord): LogChange {
  return JSON.parse(entry.wire) as LogChange;
}

/** What the app's resolvers are asked; worlds without schemas ask nothing else. */
export function resolverNeeds(needs: readonly Need[]): readonly ResolverNeed[] {
  return needs.map((need) => {
    assert(need.kind === 'resolver');
    return need;
  });
}
