import type { ReceiptRecord } from '../log/records';
import { decide } from './decide';
import { conflictBody, MUTATION_ID_REUSED, rejected, replayed, ROLLED_BACK } from './decisions';
import { knowledgeOfReplay } from './knowledge';
import { Ledger } from './ledger';
import { isPatch } from './patching';
import {
  receiptText,
  type BaseNeed,
  type Decision,
  type Plan,
  type PlanClock,
  type PlanRequest,
  type PlanSnapshot,
  type PreparedChange,
  type ReadyChange,
  type RequestOutcome,
} from './plan';
import { planningOf, type Planning } from './planning';
import { headMoves, plannedWrites } from './recording';

/**
 * Decides what a group of pushes does: which documents, entries, receipts and heads are written, and what each change
 * is answered. Pure: the same snapshot, requests and clock give the same plan, so a transaction that has to start
 * again plans again. Keeps invariants 2 (versions above the head), 4 (receipts), 5 (foreign documents are never
 * looked into), 8 (bounded stamps) and 10 (an answer for each change).
 */
export function planPushes(snapshot: PlanSnapshot, requests: readonly PlanRequest[], clock: PlanClock): Plan {
  const ledger = Ledger.over(snapshot);
  const missingBases = new Map<string, BaseNeed>();
  let needsReceipts = false;
  const outcomes = requests.map((request, index): RequestOutcome => {
    const planning = planningOf({ snapshot, clock, missingBases }, request, index, ledger.layer());
    const { outcome, stands, leavesOut } = planRequest(planning);
    if (stands) ledger.absorb(planning.layer);
    if (!snapshot.receipts && (stands ? leavesOut : request.changes.some(hasMutation))) needsReceipts = true;
    return outcome;
  });
  return {
    outcomes,
    writes: plannedWrites(ledger),
    entries: ledger.entries,
    steps: ledger.steps,
    receipts: [...ledger.receipts.values()],
    heads: headMoves(ledger),
    missingBases: [...missingBases.values()],
    needsReceipts,
  };
}

/** What a plan turned out to need beyond its snapshot: to be read in the same transaction. */
export type Lack =
  { readonly of: 'receipts' } | { readonly of: 'bases'; readonly needs: readonly BaseNeed[] };

/** What was read for a {@link Lack}. */
export type Found = Partial<Pick<PlanSnapshot, 'receipts' | 'bases'>>;

/** {@link planPushes} until nothing is lacking: yields what to read, is given what was found, and plans again. */
export function* planToTheEnd(
  known: PlanSnapshot,
  requests: readonly PlanRequest[],
  clock: PlanClock,
): Generator<Lack, Plan, Found> {
  let snapshot = known;
  for (;;) {
    const plan = planPushes(snapshot, requests, clock);
    if (plan.needsReceipts) {
      const { receipts } = yield { of: 'receipts' };
      snapshot = { ...snapshot, receipts };
    } else if (plan.missingBases.length > 0) {
      const { bases = [] } = yield { of: 'bases', needs: plan.missingBases };
      snapshot = { ...snapshot, bases: new Map([...snapshot.bases, ...bases]) };
    } else return plan;
  }
}

function hasMutation({ mutation }: PreparedChange): boolean {
  return mutation !== undefined;
}

/** What is noted about the mutations of a request. */
interface Mutations {
  /** Decisions that go back to what this request itself did: they fall with it. */
  readonly repeats: Set<Decision>;
  /** One was decided without leaving a receipt. */
  leavesOut: boolean;
}

interface PlannedRequest {
  readonly outcome: RequestOutcome;
  /** Else nothing of its layer is kept. */
  readonly stands: boolean;
  readonly leavesOut: boolean;
}

/** One request's changes, one after another. */
function planRequest(planning: Planning): PlannedRequest {
  const { request, needs } = planning;
  const mutations: Mutations = { repeats: new Set(), leavesOut: false };
  const { repeats } = mutations;
  const decisions = request.changes.map((change, index) =>
    decideOrReplay(planning, mutations, change, index),
  );
  const { leavesOut } = mutations;
  if (needs.length > 0) return { outcome: { kind: 'unresolved', needs }, stands: false, leavesOut };
  const fails = request.atomic === 'batch' && decisions.some(({ status }) => status === 'rejected');
  if (!fails) return { outcome: { kind: 'decided', decisions }, stands: true, leavesOut };
  const isUndone = (decision: Decision): boolean =>
    decision.status !== 'rejected' && (!decision.replayed || repeats.has(decision));
  return {
    outcome: {
      kind: 'decided',
      decisions: decisions.map((decision) => (isUndone(decision) ? ROLLED_BACK : decision)),
    },
    stands: false,
    leavesOut,
  };
}

/** Gives the first decision again, or decides and keeps a receipt. */
function decideOrReplay(
  planning: Planning,
  mutations: Mutations,
  change: PreparedChange,
  index: number,
): Decision {
  const { layer, request } = planning;
  const { mutation } = change;
  const key = mutation && receiptText(request.scopeId, request.clientId, mutation.id);
  const receipt = key === undefined ? undefined : layer.receipt(key);
  if (key !== undefined && receipt && receipt.hash === mutation?.hash) {
    const decision = replay(planning, receipt, change);
    if (layer.holdsReceipt(key)) mutations.repeats.add(decision);
    return decision;
  }
  if (change.kind === 'refused') {
    if (mutation) mutations.leavesOut = true;
    return rejected(change.rejection);
  }
  if (receipt) return rejected(MUTATION_ID_REUSED);
  const decision = decide(planning, change, index);
  if (key !== undefined) keepReceipt(planning, key, change, decision);
  return decision;
}

function replay(planning: Planning, receipt: ReceiptRecord, change: PreparedChange): Decision {
  const { layer, request, lineage } = planning;
  // Refused by now (a right was withdrawn, a rule is new), but it has taken effect: the first decision stands.
  if (change.kind === 'refused') return replayed(receipt);
  const { status, new_version, server_version } = receipt;
  const current = layer.document(change.key);
  const own = current !== 'foreign' && current?.scopeId === request.scopeId ? current : undefined;
  if (new_version !== null) {
    const made = own?.version === new_version ? own : undefined;
    const patched = isPatch(change) ? knowledgeOfReplay(planning, change, receipt) : undefined;
    lineage.advance(change, new_version, status === 'accepted' ? 'as sent' : made, patched);
  }
  // The first decision's document, while it is still the document.
  const isShown =
    server_version !== null && own !== undefined && own.version === (new_version ?? server_version);
  return isShown
    ? { ...replayed(receipt), conflict: conflictBody(own, change.rules.form) }
    : replayed(receipt);
}

function keepReceipt(
  { layer, request, clock }: Planning,
  key: string,
  { mutation, wireId }: ReadyChange,
  decision: Decision,
): void {
  if (!mutation) return;
  const { status, new_version, server_version, code, error } = decision;
  layer.receipts.set(key, {
    _id: { scope: request.scopeId, client: request.clientId, mutation: mutation.id },
    hash: mutation.hash,
    doc_id: wireId,
    status,
    new_version,
    server_version,
    code,
    error,
    at: new Date(clock.wallMs),
  });
}
