import type { ErrorCode } from 'nest-offline-sync-protocol';
import type { ReceiptRecord } from '../log/records';
import { decide } from './decide';
import {
  AFTER_FALLEN_GROUP,
  conflictBody,
  keptAnswer,
  mutationIdReused,
  rejected,
  replayed,
  standingOf,
} from './decisions';
import { knowledgeOfReplay } from './knowledge';
import { isPatch } from './patching';
import { receiptText, type Decision, type Mutation, type PlanRequest, type PreparedChange } from './plan';
import type { Planning } from './planning';

/**
 * What a mutation is not answered for good by: it may be stamped again, find its parent or a quieter moment under the
 * same id; or another mutation has the id, and the receipt.
 */
const JUDGED_AGAIN: ReadonlySet<ErrorCode | null> = new Set<ErrorCode>([
  'clock_drift',
  'parent_unknown',
  'parent_refused',
  'conflict_retry',
  'invalid_change',
  'mutation_id_reused',
]);

/**
 * Gives the first decision again, or decides and keeps a receipt.
 *
 * @param repeats is told a decision whose receipt is of the planning's own layer
 */
export function decideOrReplay(
  planning: Planning,
  change: PreparedChange,
  index: number,
  repeats?: Set<Decision>,
): Decision {
  const { layer, request, fallen, mutations } = planning;
  const { mutation } = change;
  const key = mutation && receiptKey(request, mutation);
  const receipt = key === undefined ? undefined : layer.receipt(key);
  if (key !== undefined && mutation && receipt && isOf(receipt, mutation)) {
    const decision = replay(planning, receipt, change);
    if (layer.holdsReceipt(key)) repeats?.add(decision);
    return decision;
  }
  if (change.kind === 'refused') {
    if (mutation) mutations.leavesOut = true;
    return rejected(change.rejection);
  }
  if (receipt) return mutationIdReused(receipt);
  const decision = fallen.has(change.key) ? rejected(AFTER_FALLEN_GROUP) : decide(planning, change, index);
  keepReceipt(planning, change, decision);
  return decision;
}

/** Only of what was judged: a change that was refused for its format or a missing right is looked at again. */
export function keepReceipt(
  { layer, request, clock, mutations }: Planning,
  change: PreparedChange,
  decision: Decision,
): void {
  const { mutation } = change;
  if (!mutation) return;
  if (change.kind === 'refused' || JUDGED_AGAIN.has(decision.code)) {
    mutations.leavesOut = true;
    return;
  }
  layer.receipts.set(receiptKey(request, mutation), {
    _id: { scope: request.scopeId, client: request.clientId, mutation: mutation.id },
    hash: mutation.hash,
    collection: change.collection,
    doc_id: change.wireId,
    ...keptAnswer(decision),
    ...(decision.sent === undefined ? {} : { sent: decision.sent }),
    at: new Date(clock.wallMs),
  });
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
  if (isShown) return { ...replayed(receipt), conflict: conflictBody(own, change.rules.form) };
  const isReturned = change.returns && new_version !== null && own?.version === new_version;
  return isReturned ? { ...replayed(receipt), standing: standingOf(own) } : replayed(receipt);
}

/** Whether a receipt is of this very change, and not of another one with the same id. */
function isOf({ hash }: ReceiptRecord, { hash: own, hasFormerHash }: Mutation): boolean {
  return hash === own || hasFormerHash?.(hash) === true;
}

function receiptKey({ scopeId, clientId }: PlanRequest, { id }: Mutation): string {
  return receiptText(scopeId, clientId, id);
}
