import type { ChangeResult } from '../history';
import type { FindingBuilder } from './finding-builder';
import { nameOf } from './gaps';
import type { HistoryIndex } from './history-index';
import { entriesOf } from './merges';
import { evidenceFor, type ScopeIndex, type SeenEntry } from './scope-index';
import {
  evidenceOf,
  mutationKey,
  outcomeUnknown,
  sameBody,
  sameMeaning,
  tookEffect,
  type Sending,
} from './sendings';

/** Conflicts whose rejection leaves a receipt. */
const KEPT_CONFLICTS = ['conflict_stale', 'conflict_deleted', 'document_missing'];

/** Invariant 4: a mutation takes effect at most once, and every retry gets the first answer. */
export function judgeIdempotent(index: HistoryIndex, found: FindingBuilder): void {
  for (const scope of index.scopes) {
    for (const [marker, sendings] of scope.sendingsByMarker) onceByMarker(scope, marker, sendings, found);
    for (const sendings of scope.sendingsByMutation.values()) {
      onceByMutation(scope, sendings, found);
      answers(scope, sendings, found);
    }
  }
}

function onceByMarker(
  scope: ScopeIndex,
  marker: string,
  sendings: readonly Sending[],
  found: FindingBuilder,
): void {
  // Without a mutation id a retry is a new change, and may be applied again.
  const [first] = sendings;
  if (first === undefined || (first.change.mutation === null && sendings.length > 1)) return;
  const entries = entriesOf(scope, marker);
  found.checked();
  if (entries.length > 1) twice(scope, sendings, entries, found);
}

/** One id: at most one entry, and of several bodies at most one. */
function onceByMutation(scope: ScopeIndex, sendings: readonly Sending[], found: FindingBuilder): void {
  const told = scope.byMutation.get(mutationKey(sendings[0] as Sending) ?? '') ?? [];
  if (told.length > 0) found.checked();
  if (told.length > 1) {
    twice(scope, sendings, told, found);
    return;
  }
  const markers = new Set(sendings.map(({ change }) => change.marker));
  if (markers.size < 2) return;
  const entries = [...markers].flatMap((marker) =>
    marker === null ? [] : entriesOf(scope, marker).slice(0, 1),
  );
  found.checked();
  if (entries.length > 1) twice(scope, sendings, entries, found);
}

function twice(
  scope: ScopeIndex,
  sendings: readonly Sending[],
  entries: readonly SeenEntry[],
  found: FindingBuilder,
): void {
  const client = sendings[0]?.push.client ?? '';
  const mutation = sendings[0]?.change.mutation ?? 'without an id';
  found.violated(
    () =>
      `Mutation ${mutation} of ${client} (${scope.name}) is in the log ${entries.length} times: ` +
      `${entries.map(nameOf).join(', ')}.`,
    () => [...evidenceOf(...sendings), ...entries.slice(0, 2).flatMap(evidenceFor)],
  );
}

/** Answers to the same change of the same client. */
function answers(scope: ScopeIndex, sendings: readonly Sending[], found: FindingBuilder): void {
  const answered = sendings.filter(({ push, result }) => !outcomeUnknown(push) && result !== null);
  for (const sending of answered) {
    if (sending.result?.replayed === true) replayOfSomething(scope, sending, sendings, found);
  }
  const first = firstKept(answered);
  if (first === null || answered.length < 2) return;
  for (const sending of answered) {
    if (sending === first) continue;
    if (!sameMeaning(first.change, sending.change)) reused(scope, first, sending, found);
    else if (sameBody(first.change, sending.change)) sameAnswer(scope, first, sending, found);
  }
}

/** The answer that a receipt keeps: of those that took effect, or of kept conflicts, whichever came first. */
function firstKept(answered: readonly Sending[]): Sending | null {
  const effect = earliest(answered.filter(({ result }) => tookEffect(result)));
  const conflict = earliest(answered.filter(isKeptConflict));
  if (effect === null || conflict === null) return effect ?? conflict;
  return conflict.push.answeredAt < effect.push.sentAt ? conflict : effect;
}

function earliest(sendings: readonly Sending[]): Sending | null {
  let first: Sending | null = null;
  for (const sending of sendings) {
    if (first === null || order(sending, first) < 0) first = sending;
  }
  return first;
}

function order(a: Sending, b: Sending): number {
  const replayed = Number(a.result?.replayed ?? false) - Number(b.result?.replayed ?? false);
  return replayed !== 0 ? replayed : a.push.answeredAt - b.push.answeredAt;
}

/** In a batch too: what made it fail is kept, and only that. */
function isKeptConflict({ result }: Sending): boolean {
  return result !== null && KEPT_CONFLICTS.includes(result.code ?? '');
}

function sameAnswer(scope: ScopeIndex, first: Sending, sending: Sending, found: FindingBuilder): void {
  const a = first.result;
  const b = sending.result;
  if (a === null || b === null) return;
  // A refusal leaves no receipt, so only what was sent after the first answer must repeat it.
  if (!tookEffect(b) && sending.push.sentAt <= first.push.answeredAt) return;
  found.checked();
  if (!tookEffect(b) && b.code === 'batch_rolled_back' && !tookEffect(a)) return;
  const twiceNew = tookEffect(a) && !a.replayed && !b.replayed;
  if (a.status === b.status && a.newVersion === b.newVersion && a.code === b.code && !twiceNew) return;
  found.violated(
    () =>
      `Mutation ${sending.change.mutation ?? ''} of ${sending.push.client} (${scope.name}) was answered ` +
      `${answerText(a)}, and as ${answerText(b)} when it was sent again.`,
    () => evidenceOf(first, sending),
  );
}

function reused(scope: ScopeIndex, first: Sending, sending: Sending, found: FindingBuilder): void {
  if (sending.push.sentAt <= first.push.answeredAt || sending.change.flaw !== null) return;
  found.checked();
  const code = sending.result?.code ?? null;
  if (code === 'mutation_id_reused' || code === 'batch_rolled_back') return;
  found.violated(
    () =>
      `Mutation ${sending.change.mutation ?? ''} of ${sending.push.client} (${scope.name}) was sent again as another ` +
      `change, and answered ${answerText(sending.result)}, not mutation_id_reused.`,
    () => evidenceOf(first, sending),
  );
}

/** `replayed` says that there was an earlier sending. */
function replayOfSomething(
  scope: ScopeIndex,
  sending: Sending,
  sendings: readonly Sending[],
  found: FindingBuilder,
): void {
  found.checked();
  const earlier = sendings.some((other) => other !== sending && other.push.sentAt < sending.push.answeredAt);
  if (earlier) return;
  found.violated(
    () =>
      `Mutation ${sending.change.mutation ?? ''} of ${sending.push.client} (${scope.name}) was answered as replayed, ` +
      `and had never been sent before.`,
    () => evidenceOf(sending),
  );
}

function answerText(result: ChangeResult | null): string {
  if (result === null) return 'nothing';
  const parts = [result.status, result.code, result.newVersion, result.replayed ? 'replayed' : null];
  return parts.filter((part) => part !== null).join(' ');
}
