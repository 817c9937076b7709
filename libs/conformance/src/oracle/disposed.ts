import type { ChangeResult, PushEvent } from '../history';
import { cutFull, cutPull, cutPush } from './evidence';
import { CHANGE_CODES, CONFLICT_CODES, MALFORMED_CODES, UNAVAILABLE_CODES } from './codes';
import type { FindingBuilder } from './finding-builder';
import type { HistoryIndex } from './history-index';
import { parentsOf } from './parents';
import { wrongDocument, wrongPatch } from './wrong-answers';
import type { ScopeIndex } from './scope-index';
import { evidenceOf, sendingsOf, togetherIn, tookEffect, type Sending } from './sendings';
import { judgeSocketPushes } from './socket-pushes';

/** Invariant 10: each change gets its own answer, which says what to do; one bad change does not hold up others. */
export function judgeDisposed(index: HistoryIndex, found: FindingBuilder): void {
  for (const scope of index.scopes) {
    serverErrors(scope, found);
    for (const push of scope.pushes) wholePush(scope, push, found);
  }
  judgeSocketPushes(index, found);
  for (const probe of index.probes) {
    found.checked();
    const status = probe.answer?.status ?? 0;
    if (status < 500 || status >= 600 || status === 503) continue;
    found.violated(
      () => `The probe ${probe.probe} was answered ${status}.`,
      () => [probe],
    );
  }
}

/** No 5xx but 503 with a code that says what to do. */
function serverErrors(scope: ScopeIndex, found: FindingBuilder): void {
  const requests = [
    ...scope.pushes.map((event) => ({ event, cut: () => cutPush(event, (_, index) => index === 0) })),
    ...scope.pulls.map((event) => ({ event, cut: () => cutPull(event, []) })),
    ...scope.fulls.map((event) => ({ event, cut: () => cutFull(event, '', '') })),
    ...scope.digests.map((event) => ({ event, cut: () => event })),
    ...scope.appWrites.map((event) => ({ event, cut: () => event })),
  ];
  for (const { event, cut } of requests) {
    if (event.answer === null) continue;
    found.checked();
    const { status, code } = event.answer;
    if (status < 500) continue;
    // A route of the app has its own way to say it.
    if (status === 503 && (event.kind === 'app-write' || UNAVAILABLE_CODES.has(code ?? ''))) continue;
    found.violated(
      () => `A ${event.kind} of ${scope.name} was answered ${status} ${code ?? 'without a code'}.`,
      () => [cut()],
    );
  }
}

function wholePush(scope: ScopeIndex, push: PushEvent, found: FindingBuilder): void {
  if (push.answer === null) return;
  const { status, code } = push.answer;
  if (status !== 200) {
    // Valid tokens and rate limits are not the push's concern.
    if (status >= 500 || [401, 403, 429].includes(status)) return;
    found.checked();
    if (status === 413 && push.changes.some(({ flaw }) => flaw === 'too-large')) return;
    found.violated(
      () => `A push of ${push.client} (${scope.name}) was refused as a whole: ${status} ${code ?? ''}.`,
      () => [cutPush(push, ({ flaw }, index) => flaw !== null || index === 0)],
    );
    return;
  }
  found.checked();
  if (push.results?.length !== push.changes.length) {
    found.violated(
      () =>
        `A push of ${push.client} (${scope.name}) with ${push.changes.length} changes got ${push.results?.length ?? 0} results.`,
      () => [cutPush(push, (_, index) => index === 0)],
    );
    return;
  }
  const sendings = sendingsOf(push);
  const together = togetherIn(push);
  for (const sending of sendings) {
    if (sending.result === null) continue;
    found.checked();
    const others = together.find((all) => all.some(({ index }) => index === sending.index));
    const wrong =
      wrongResult(sending.result, isOfUndone(sending, others)) ??
      wrongFor(scope, sending, sending.result, others) ??
      wrongPatch(scope, sending, sending.result) ??
      wrongDocument(scope, sending, sending.result);
    if (wrong === null) continue;
    const { change } = sending;
    found.violated(
      () =>
        `${change.operation} ${change.collection} ${change.docId} of ${push.client} (${scope.name}) was ` +
        `${sending.result?.status ?? ''}${sending.result?.code == null ? '' : ` (${sending.result.code})`}: ${wrong}.`,
      () => evidenceOf(sending),
    );
  }
}

/** What is wrong with a result, independent of the change. */
function wrongResult(result: ChangeResult, isUndone: boolean): string | null {
  if (tookEffect(result)) {
    if (result.newVersion === null) return 'it has no new_version';
    if (result.code !== null) return 'it has a code though it was taken';
  } else if (result.status === 'rejected') {
    if (result.newVersion !== null) return 'it has a new_version though it was rejected';
    if (result.code === null || !CHANGE_CODES.has(result.code)) return 'it has no code of the protocol';
    if (result.explained === false) return 'no error text says why';
  } else {
    return 'that is no status of the protocol';
  }
  const conflict = result.status === 'conflict_resolved' || CONFLICT_CODES.has(result.code ?? '');
  // A replay shows the document only as long as it is unchanged.
  if (conflict && !result.replayed && result.serverDocument === null && !isUndone) {
    return 'it was a conflict, and server_document is missing';
  }
  return null;
}

/** Whether it conflicted with what its own batch or group had made, and that was rolled back: the document may not be there. */
function isOfUndone({ change, index, result }: Sending, together: readonly Sending[] | undefined): boolean {
  return (
    result?.serverVersion === null &&
    (together ?? []).some(
      (each) =>
        each.index < index &&
        each.change.collection === change.collection &&
        each.change.docId === change.docId &&
        each.result?.code === 'batch_rolled_back',
    )
  );
}

/** What is wrong with it for this change. */
function wrongFor(
  scope: ScopeIndex,
  sending: Sending,
  result: ChangeResult,
  together: readonly Sending[] | undefined,
): string | null {
  const { change } = sending;
  if (change.flaw !== null)
    return result.status === 'rejected' ? null : `it is wrong on purpose (${change.flaw})`;
  if (result.status !== 'rejected' || result.code === null) return null;
  if (MALFORMED_CODES.has(result.code)) return 'nothing is wrong with it';
  if (result.code === 'parent_refused') return wrongRefusal(scope, sending);
  if (result.code !== 'batch_rolled_back') return null;
  if (!together) return 'each change of this push is independent';
  const hasCulprit = together.some(
    (each) => each.result?.status === 'rejected' && each.result.code !== 'batch_rolled_back',
  );
  return hasCulprit ? null : 'no change of its batch was rejected for its own reason';
}

/** `parent_refused` is right only where something that the change builds on was refused, or may have been. */
function wrongRefusal(scope: ScopeIndex, sending: Sending): string | null {
  const { change, push, index } = sending;
  const isClosed = sendingsOf(push).some(
    (each) =>
      each.index < index &&
      each.result?.status === 'rejected' &&
      each.change.collection === change.collection &&
      each.change.docId === change.docId &&
      (each.change.group !== undefined || each.result.code === 'parent_refused'),
  );
  if (isClosed) return null;
  if (change.parentMutation === undefined) return 'it names no parent';
  const taken = parentsOf(scope, sending).some(
    (parent) =>
      tookEffect(parent.result) &&
      !isPatchInChain(parent) &&
      (parent.push.answeredAt < push.sentAt || (parent.push === push && parent.index < index)),
  );
  return taken ? 'the mutation that it builds on was taken' : null;
}

/** Of a patch on top of an own change a server need not keep what its client knew: it may ask for it in the same push. */
function isPatchInChain({ change, push, index }: Sending): boolean {
  if (change.operation !== 'patch') return false;
  if (change.parentMutation !== undefined) return true;
  return push.changes.some(
    ({ collection, docId }, at) => at < index && collection === change.collection && docId === change.docId,
  );
}
