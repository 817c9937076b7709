import { Ledger } from './ledger';
import type { BaseNeed, Plan, PlanClock, PlanRequest, PlanSnapshot, RequestOutcome } from './plan';
import { RequestPlanning } from './request-planning';
import { documentWrites, headMoves } from './recording';

/**
 * Decides what a group of pushes does: which documents, entries, receipts and heads are written, and what each change
 * is answered. Pure: the same snapshot, requests and clock give the same plan, so a transaction that has to start
 * again plans again. Keeps invariants 2 (versions above the head), 4 (receipts), 5 (foreign documents are never
 * looked into), 8 (bounded stamps) and 10 (an answer for each change).
 */
export function planPushes(snapshot: PlanSnapshot, requests: readonly PlanRequest[], clock: PlanClock): Plan {
  const ledger = Ledger.over(snapshot);
  const missing = new Map<string, BaseNeed>();
  let needsReceipts = false;
  const outcomes = requests.map((request, index): RequestOutcome => {
    const planning = new RequestPlanning(ledger.layer(), snapshot, request, index, clock, missing);
    const { outcome, stands } = planning.run();
    if (stands) ledger.absorb(planning.layer);
    if (!snapshot.receipts && (stands ? planning.leavesOut : hasMutation(request))) needsReceipts = true;
    return outcome;
  });
  return {
    outcomes,
    writes: documentWrites(ledger),
    entries: ledger.entries,
    steps: ledger.steps,
    receipts: [...ledger.receipts.values()],
    heads: headMoves(ledger),
    missingBases: [...missing.values()],
    needsReceipts,
  };
}

function hasMutation({ changes }: PlanRequest): boolean {
  return changes.some((entry) => (entry.kind === 'ready' ? entry.change.mutation : entry.mutation));
}
