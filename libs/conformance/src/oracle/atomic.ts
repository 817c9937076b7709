import type { SentChange } from '../history';
import { judgeEcho } from './echo';
import { judgeOnePiece } from './one-piece';
import { judgeParents } from './parents';
import type { FindingBuilder } from './finding-builder';
import { nameOf } from './gaps';
import type { HistoryIndex } from './history-index';
import { evidenceFor, type ScopeIndex, type SeenEntry } from './scope-index';
import {
  evidenceOf,
  mayHaveTakenEffect,
  outcomeUnknown,
  sendingsOf,
  togetherIn,
  tookEffect,
  type Sending,
} from './sendings';

/** Invariant 1: the answer to a push and the log agree, and a batch is all or none. */
export function judgeAtomic(index: HistoryIndex, found: FindingBuilder): void {
  for (const scope of index.scopes) {
    for (const push of scope.pushes) {
      const sendings = sendingsOf(push);
      for (const sending of sendings) answered(scope, sending, found);
      for (const together of togetherIn(push)) {
        if (together.length < 2) continue;
        if (push.results !== null) allOrNoneAnswered(scope, together, found);
        else if (outcomeUnknown(push)) allOrNoneUnanswered(scope, together, found);
      }
    }
    for (const sendings of scope.sendingsByMarker.values()) refused(scope, sendings, found);
    for (const sendings of scope.sendingsByMutation.values())
      if (sendings[0]?.change.marker === null) refused(scope, sendings, found);
    judgeOnePiece(scope, found);
    judgeParents(scope, found);
    judgeEcho(index, scope, found);
  }
}

/** What was answered as accepted is in the log at that version, as this change of this document. */
function answered(scope: ScopeIndex, sending: Sending, found: FindingBuilder): void {
  const { change, result, push } = sending;
  const version = result?.newVersion ?? null;
  if (version === null || result === null || !tookEffect(result)) return;
  const entry = scope.known.get(version);
  if (entry === undefined) return;
  if (entry.sight === null) {
    if (!scope.mustBeRead(version, push.answeredAt)) return;
    found.checked();
    found.violated(
      () =>
        `${push.client} (${scope.name}) was answered ${result.status} ${version} for ${textOf(sending)}, and the log has no such entry.`,
      () => [...evidenceOf(sending), ...scope.lastFinalPage()],
    );
    return;
  }
  found.checked();
  const seen = entry.sight.entry;
  const wrong =
    seen.collection !== change.collection || seen.docId !== (result.docId ?? change.docId)
      ? 'another document'
      : result.status === 'accepted' && operationOf(change) !== seen.operation
        ? 'another operation'
        : result.status === 'accepted' && change.marker !== seen.marker && change.marker !== null
          ? 'other content'
          : null;
  if (wrong === null) return;
  found.violated(
    () =>
      `${push.client} (${scope.name}) was answered ${result.status} ${version} for ${textOf(sending)}; in the log that is ${wrong}: ${nameOf(entry)}.`,
    () => [...evidenceOf(sending), ...evidenceFor(entry)],
  );
}

/** Of a batch with a rejection nothing was applied, except what an earlier push had been answered. */
function allOrNoneAnswered(scope: ScopeIndex, sendings: readonly Sending[], found: FindingBuilder): void {
  found.checked();
  const rejected = sendings.find(({ result }) => result?.status === 'rejected');
  const taken = sendings.find(({ result }) => tookEffect(result) && result?.replayed === false);
  if (rejected === undefined || taken === undefined) return;
  found.violated(
    () =>
      `Of one batch of ${taken.push.client} (${scope.name}), ${textOf(taken)} was ${taken.result?.status ?? ''} and ` +
      `${textOf(rejected)} rejected (${rejected.result?.code ?? 'no code'}).`,
    () => evidenceOf(rejected, taken),
  );
}

/** Of a batch with an unknown outcome, all is in the log or nothing. */
function allOrNoneUnanswered(scope: ScopeIndex, sendings: readonly Sending[], found: FindingBuilder): void {
  const { final } = scope;
  if (final === null) return;
  const missing: Sending[] = [];
  let present: { sending: Sending; entry: SeenEntry } | null = null;
  for (const sending of sendings) {
    const { marker, collection, patch } = sending.change;
    // What adds and removes nothing new, or deletes what is deleted, leaves no entry.
    if (marker === null && (patch?.inc ?? 0) === 0) continue;
    const [entry] = scope.writtenBy(sending);
    if (entry === undefined) {
      if (!scope.merging.has(collection)) missing.push(sending);
    } else if (present === null && entry.version > final.from && entry.version <= final.to) {
      present = { sending, entry };
    }
  }
  found.checked();
  const here = present;
  const [gone] = missing;
  if (here === null || gone === undefined) return;
  // A retry in another batch may have brought one without the other.
  if (!onlyTogether(scope, here.sending, gone)) return;
  found.violated(
    () =>
      `Of one batch of ${gone.push.client} (${scope.name}), ${textOf(here.sending)} is in the log and ` +
      `${textOf(gone)} is not.`,
    () => [...evidenceOf(here.sending, gone), ...evidenceFor(here.entry), ...scope.lastFinalPage()],
  );
}

function onlyTogether(scope: ScopeIndex, present: Sending, gone: Sending): boolean {
  const causes = scope.sendingsOf(present);
  return causes
    .filter(mayHaveTakenEffect)
    .every(({ push, change }) =>
      togetherIn(push).some(
        (together) =>
          together.some((each) => each.change === change) &&
          together.some(
            (each) =>
              each.change.marker === gone.change.marker && each.change.mutation === gone.change.mutation,
          ),
      ),
    );
}

/** What was refused each time is not in the log. */
function refused(scope: ScopeIndex, sendings: readonly Sending[], found: FindingBuilder): void {
  const [first] = sendings;
  if (first === undefined || sendings.some(mayHaveTakenEffect)) return;
  found.checked();
  const [entry] = scope.writtenBy(first);
  if (entry === undefined) return;
  found.violated(
    () =>
      `${textOf(first)} of ${first.push.client} (${scope.name}) was refused (` +
      `${first.result?.code ?? String(first.push.answer?.status ?? 'as a whole')}), and is in the log as ${entry.version}.`,
    () => [...evidenceOf(...sendings), ...evidenceFor(entry)],
  );
}

/** As the log tells it: the whole document after a patch. */
function operationOf({ operation }: SentChange): string {
  return operation === 'patch' ? 'upsert' : operation;
}

function textOf({ change }: Sending): string {
  return `${change.operation} ${change.collection} ${change.docId}`;
}
