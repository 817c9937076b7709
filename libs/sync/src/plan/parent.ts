import type { ReceiptRecord } from '../log/records';
import type { Rejection } from 'nest-offline-sync-protocol';
import { joinsSides } from './judge';
import { knowledgeOfReceipt } from './knowledge';
import { setPaths } from './patch';
import { receiptText, type ReadyChange } from './plan';
import type { Planning } from './planning';
import { patchIn } from './sent';

const OTHER_DOCUMENT: Rejection = {
  code: 'invalid_change',
  message:
    'parent_mutation_id names a mutation of another document; a change builds on one of the same document.',
};

const UNKNOWN: Rejection = {
  code: 'parent_refused',
  message:
    'The mutation that parent_mutation_id names is not known: it never arrived, was rolled back, or its receipt is gone. Send it first, or before this change in the same push.',
};

const REFUSED: Rejection = {
  code: 'parent_refused',
  message:
    'The mutation that parent_mutation_id names was rejected, so this change may hold what was refused. Correct that one under a new mutation_id, and make this change again on top of it.',
};

const TOO_LARGE: Rejection = {
  code: 'parent_refused',
  message:
    'What was sent with the mutation that parent_mutation_id names is not kept, because it is large or old. Send that mutation once more, before this change in the same push.',
};

/**
 * Lets a change build on the client's own earlier mutation, as a later change of the same request would.
 *
 * @returns why it cannot
 */
export function takeParent(planning: Planning, change: ReadyChange): Rejection | undefined {
  const { layer, request, lineage, mutations } = planning;
  const { parentMutation, wireId, collection, rules } = change;
  if (parentMutation === undefined) return undefined;
  const receipt = layer.receipt(receiptText(request.scopeId, request.clientId, parentMutation));
  if (!receipt) {
    mutations.leavesOut = true;
    return UNKNOWN;
  }
  if (receipt.doc_id !== wireId || (receipt.collection ?? collection) !== collection) return OTHER_DOCUMENT;
  const { status, new_version: version } = receipt;
  if (status === 'rejected') return REFUSED;
  if (version === null || lineage.knows(change, version)) return undefined;
  if (!isCommuting(change) && !isKept(receipt, joinsSides(rules.strategy))) return TOO_LARGE;
  const patch = typeof receipt.sent === 'string' ? patchIn(receipt.sent) : undefined;
  lineage.adopt(change, version, receipt, patch && knowledgeOfReceipt(planning, change, version, patch));
  return undefined;
}

/** Receipts of earlier versions say nothing of what was sent. */
function isKept({ status, collection, sent }: ReceiptRecord, joins: boolean): boolean {
  return sent !== null && (status === 'accepted' || collection !== undefined || !joins);
}

/** Whatever it was made on says nothing about it. */
function isCommuting({ patch, rules }: ReadyChange): boolean {
  return patch !== undefined && setPaths(patch, rules.form?.facts).length === 0;
}
