import { recordForeign } from './foreign';
import { Ledger } from './ledger';
import type { BaseNeed, Plan, PlanClock, PlanRequest, PlanSnapshot, RequestOutcome } from './plan';
import { planningOf } from './planning';
import { headMoves, plannedWrites } from './recording';
import { decideAll } from './units';

/**
 * Decides what a group of pushes does: which documents, entries, receipts and heads are written, and what each change
 * is answered. Pure: the same snapshot, requests and clock give the same plan, so a transaction that has to start
 * again plans again. Keeps invariants 2 (versions above the head), 4 (receipts), 5 (foreign documents are never
 * looked into), 8 (bounded stamps) and 10 (an answer for each change).
 */
export function planPushes(snapshot: PlanSnapshot, requests: readonly PlanRequest[], clock: PlanClock): Plan {
  const ledger = Ledger.over(snapshot);
  const missingBases = new Map<string, BaseNeed>();
  recordForeign(ledger, requests, { clock, snapshot, missingBases });
  let needsReceipts = false;
  const outcomes = requests.map((request, index): RequestOutcome => {
    const planning = planningOf({ snapshot, clock, missingBases }, request, index, ledger.layer());
    const decisions = decideAll(planning);
    const { needs, layer, mutations } = planning;
    const stands = needs.length === 0;
    if (stands) ledger.absorb(layer);
    const isUnclear = stands ? mutations.leavesOut : request.changes.some(({ mutation }) => mutation);
    if (!snapshot.receipts && isUnclear) needsReceipts = true;
    return stands ? { kind: 'decided', decisions } : { kind: 'unresolved', needs };
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
