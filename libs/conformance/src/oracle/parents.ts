import type { FindingBuilder } from './finding-builder';
import type { ScopeIndex } from './scope-index';
import {
  evidenceOf,
  keyOf,
  outcomeUnknown,
  sendingsOf,
  togetherIn,
  tookEffect,
  type Sending,
} from './sendings';

/** What builds on a change that was refused is refused too. */
export function judgeParents(scope: ScopeIndex, found: FindingBuilder): void {
  for (const push of scope.pushes) {
    if (push.results === null) continue;
    for (const sending of sendingsOf(push)) {
      if (!tookEffect(sending.result) || sending.result?.replayed === true) continue;
      if (sending.change.parentMutation !== undefined) {
        found.checked();
        const parents = parentsOf(scope, sending);
        if (parents.length > 0 && parents.every(isRefused))
          onRefused(scope, sending, parents[0] as Sending, found);
      }
      if (sending.change.group === undefined && push.changes.every(({ group }) => group === undefined))
        continue;
      found.checked();
      const closed = closingOf(sending);
      if (closed !== null) onRefused(scope, sending, closed, found);
    }
  }
}

function onRefused(scope: ScopeIndex, sending: Sending, parent: Sending, found: FindingBuilder): void {
  const { change, push } = sending;
  found.violated(
    () =>
      `${change.operation} ${change.collection} ${change.docId} of ${push.client} (${scope.name}) was ` +
      `${sending.result?.status ?? ''}, though it builds on mutation ${parent.change.mutation ?? ''}, which was refused ` +
      `(${parent.result?.code ?? 'no code'}).`,
    () => evidenceOf(parent, sending),
  );
}

/** The sendings of the mutation that a change says it builds on. */
export function parentsOf(scope: ScopeIndex, { push, change }: Sending): readonly Sending[] {
  const { parentMutation } = change;
  return parentMutation === undefined
    ? []
    : (scope.sendingsByMutation.get(keyOf(push.client, parentMutation)) ?? []);
}

function isRefused({ push, result }: Sending): boolean {
  return !outcomeUnknown(push) && !tookEffect(result);
}

/** An earlier change of the same push on the same document, of a group that was rolled back and is not the change's own. */
export function closingOf(sending: Sending): Sending | null {
  const { push, index, change } = sending;
  if (push.atomic === 'batch') return null;
  for (const together of togetherIn(push)) {
    if (together.some((each) => each.index === index)) continue;
    if (together.every(({ result }) => result?.status !== 'rejected')) continue;
    const closing = together.find(
      (each) =>
        each.index < index &&
        each.change.collection === change.collection &&
        each.change.docId === change.docId &&
        each.change.flaw === null &&
        each.result?.status === 'rejected',
    );
    if (closing) return closing;
  }
  return null;
}
