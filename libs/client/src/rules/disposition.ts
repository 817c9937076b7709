import type { ErrorCode, PushResult, SyncInfo } from 'nest-offline-sync-protocol';
import { docKey, type Mutation, type RefusedChange, type RefusedEntry } from './mutation.ts';
import { unitsOf, type Unit } from './push-plan.ts';

/**
 * What becomes of a mutation that was refused.
 *
 *   quarantine  the user decides
 *   restamp     its stamp was ahead of the server's clock: frozen again, under the same id
 *   later       the server could not judge it just now: the same words again
 *   orphan      its parent is of another database: everything is loaded again, and it is made on that
 *   parent      the server does not know what it builds on: the same words again, with that
 *   group       it stood or fell with another one, which says why
 */
export type Remedy = 'quarantine' | 'restamp' | 'later' | 'orphan' | 'parent' | 'group';

/** By code, of what one change of a push may be answered. Every code that is not here is for the user to decide about. */
const REMEDIES: Partial<Record<ErrorCode, Remedy>> = {
  clock_drift: 'restamp',
  conflict_retry: 'later',
  preparation_timeout: 'later',
  busy: 'later',
  unavailable: 'later',
  shutting_down: 'later',
  internal: 'later',
  unauthenticated: 'later',
  parent_unknown: 'orphan',
  parent_refused: 'parent',
  batch_rolled_back: 'group',
};

/** Codes of the client: the server has said nothing, or nothing of its own. */
export const OUTCOME_UNKNOWN = 'outcome_unknown';
const OUTCOME_UNKNOWN_TEXT =
  'It was sent, and its answer can no longer be had: it may have taken effect. Look at the document first, since trying it again may do it twice.';

/**
 * What is told of a mutation that cannot be sent any more: if it was sent before, nobody knows what became of it.
 *
 * @param why of those that were never sent; undefined: they stood on one that was
 */
export function givenUp(
  { state }: Mutation,
  why: { readonly code: string; readonly message: string } | undefined,
): Told {
  return state === 'waiting'
    ? { code: why?.code ?? null, error: why?.message ?? null }
    : { code: OUTCOME_UNKNOWN, error: OUTCOME_UNKNOWN_TEXT };
}

const DAY_MS = 86_400_000;

/**
 * Whether the server may have forgotten what it answered: receipts outlive the log by some days, and are kept for ever with it.
 *
 * @param retention what the server says about itself; undefined: nothing is known, and nothing forgotten
 */
export function isForgotten(
  { state, sent }: Mutation,
  retention: SyncInfo['retention'] | undefined,
  now: number,
): boolean {
  if (state !== 'sent' || !sent || !retention || retention.log_days === 0) return false;
  return now - sent.at > (retention.log_days + retention.receipt_days - 1) * DAY_MS;
}

/** Why a mutation was refused: of the server, or of the client itself. */
export type Told = Pick<PushResult, 'error' | 'server_document'> & { readonly code: string | null };

/** After so many of these a mutation is for the user to decide about: nothing is tried for ever in silence. */
export const MAX_RETURNS = 5;

/** What an answer makes of a unit. */
export type Verdict =
  | { readonly kind: 'answered'; readonly unit: Unit; readonly results: readonly PushResult[] }
  | { readonly kind: 'again'; readonly unit: readonly Mutation[]; readonly remedy: Remedy }
  | { readonly kind: 'refused'; readonly unit: Unit; readonly results: readonly PushResult[] };

/** Judges the answer to a unit: it is of one piece, since a transaction is taken as a whole or not at all. */
export function verdictOn(unit: Unit, results: readonly PushResult[], outbox: readonly Mutation[]): Verdict {
  const refused = results.filter((each) => each.status === 'rejected');
  if (refused.length === 0) return { kind: 'answered', unit, results };
  const lead = refused.find((each) => each.code !== 'batch_rolled_back') ?? refused[0];
  const remedy = remedyFor(lead?.code ?? null);
  const isTired = unit.some((each) => each.returns >= MAX_RETURNS);
  const at = unit[results.findIndex((each) => each === lead)];
  const asksInVain = remedy === 'parent' && !(at && !at.withParent && hasParent(at, outbox));
  if (remedy === 'quarantine' || remedy === 'group' || isTired || asksInVain)
    return { kind: 'refused', unit, results };
  return { kind: 'again', unit: unit.map((each) => sentBack(each, remedy, each === at)), remedy };
}

export function remedyFor(code: ErrorCode | null): Remedy {
  return (code !== null && REMEDIES[code]) || 'quarantine';
}

function hasParent({ seq, collection, doc }: Mutation, outbox: readonly Mutation[]): boolean {
  return outbox.some(
    (each) => each.seq < seq && each.collection === collection && each.doc === doc && each.sent,
  );
}

function sentBack(mutation: Mutation, remedy: Remedy, isLead: boolean): Mutation {
  const returns = mutation.returns + 1;
  if (remedy === 'restamp') return { ...mutation, state: 'waiting', sent: undefined, returns };
  if (remedy === 'orphan')
    return { ...mutation, state: 'waiting', sent: undefined, returns, ...(isLead ? { orphan: true } : {}) };
  if (remedy === 'parent') return { ...mutation, returns, ...(isLead ? { withParent: true } : {}) };
  return { ...mutation, returns };
}

/**
 * R5: with what is refused go all later mutations of the same documents that were never sent, with a transaction all of it, and so
 * on: they were made on what is not going to be. A mutation that was sent and not answered never joins; it waits for its answer.
 *
 * @returns by `seq`, the refused ones included
 */
export function falling(refused: Unit, outbox: readonly Mutation[]): Mutation[] {
  const keyOf = ({ collection, doc }: Mutation): string => docKey(collection, doc);
  const fallen = new Set(refused.map((each) => each.seq));
  const grounds = new Set(refused.map(keyOf));
  const first = refused[0]?.seq ?? 0;
  for (const unit of unitsOf(outbox.filter((each) => each.seq > first && !fallen.has(each.seq)))) {
    if (unit.some((each) => each.state !== 'waiting') || !unit.some((each) => grounds.has(keyOf(each))))
      continue;
    for (const each of unit) {
      fallen.add(each.seq);
      grounds.add(keyOf(each));
    }
  }
  return outbox.filter((each) => fallen.has(each.seq));
}

/** Mutations as the user has to decide about them: those of a document, of a transaction, and of all that these touch are one. */
export function together(mutations: readonly Mutation[]): Mutation[][] {
  const leads = new Map<string, string>();
  const leadOf = (key: string): string => {
    const next = leads.get(key);
    if (next === undefined) return key;
    const lead = leadOf(next);
    leads.set(key, lead);
    return lead;
  };
  const groundOf = ({ collection, doc }: Mutation): string => docKey(collection, doc);
  for (const each of mutations) {
    if (each.tx === undefined) continue;
    const [lead, other] = [leadOf(each.tx), leadOf(groundOf(each))];
    if (lead !== other) leads.set(other, lead);
  }
  const groups = new Map<string, Mutation[]>();
  for (const each of mutations) {
    const lead = leadOf(groundOf(each));
    groups.set(lead, [...(groups.get(lead) ?? []), each]);
  }
  return [...groups.values()];
}

/** The entry of the quarantine for what has fallen together. */
export function refusedEntry(
  fallen: readonly Mutation[],
  answers: ReadonlyMap<number, Told>,
  at: number,
): RefusedEntry {
  const told = [...answers.values()].filter((each) => each.code !== null);
  const lead =
    told.find((each) => each.code === OUTCOME_UNKNOWN) ??
    told.find((each) => each.code !== 'batch_rolled_back') ??
    told[0];
  return {
    id: fallen[0]?.id ?? '',
    code: lead?.code ?? 'internal',
    message: lead?.error ?? 'The server refused the change and did not say why.',
    at,
    seq: fallen[0]?.seq ?? 0,
    transaction: fallen.some((each) => each.tx !== undefined),
    changes: fallen.map((each): RefusedChange => {
      const answer = answers.get(each.seq);
      const isRolledBack = answer?.code === 'batch_rolled_back';
      return {
        collection: each.collection,
        id: each.doc,
        mutation: each.id,
        change: each.change,
        code: isRolledBack ? null : (answer?.code ?? null),
        mine: each.after,
        base: each.before,
        ...(answer?.server_document === undefined ? {} : { theirs: answer.server_document?.data ?? null }),
        ...(isRolledBack ? { rolledBack: true as const } : {}),
      };
    }),
  };
}
