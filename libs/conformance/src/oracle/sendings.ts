import type { ChangeResult, PushEvent, SentChange } from '../history';
import { cutPush } from './evidence';

/** One change in one push: a retry of its mutation is another sending. */
export interface Sending {
  readonly push: PushEvent;
  readonly index: number;
  readonly change: SentChange;
  readonly result: ChangeResult | null;
}

export function sendingsOf(push: PushEvent): Sending[] {
  return push.changes.map((change, index) => ({
    push,
    index,
    change,
    result: push.results?.[index] ?? null,
  }));
}

/** The push with only this change. */
export function evidenceOf(...sendings: readonly Sending[]): PushEvent[] {
  const pushes = new Map<PushEvent, Set<number>>();
  for (const { push, index } of sendings) {
    const indexes = pushes.get(push) ?? new Set<number>();
    pushes.set(push, indexes.add(index));
  }
  return [...pushes].map(([push, indexes]) => cutPush(push, (_, index) => indexes.has(index)));
}

export function tookEffect(result: ChangeResult | null): boolean {
  return result?.status === 'accepted' || result?.status === 'conflict_resolved';
}

/** The changes of a push that stand or fall together, those of each group or all of a batch; what stands alone is left out. */
export function togetherIn(push: PushEvent): Sending[][] {
  const sendings = sendingsOf(push);
  if (push.atomic === 'batch') return [sendings];
  const groups = new Map<string, Sending[]>();
  for (const sending of sendings) {
    const { group } = sending.change;
    if (group === undefined) continue;
    const same = groups.get(group);
    if (same) same.push(sending);
    else groups.set(group, [sending]);
  }
  return [...groups.values()];
}

/** The client does not know the outcome: no answer, or an error in the server. */
export function outcomeUnknown({ answer }: PushEvent): boolean {
  return answer === null || answer.status >= 500;
}

/** Whether this sending can be why the change is in the log. */
export function mayHaveTakenEffect({ push, change, result }: Sending): boolean {
  if (outcomeUnknown(push)) {
    const together = togetherIn(push).find((all) => all.some(({ change: each }) => each === change));
    return together?.every(({ change: { flaw } }) => flaw === null) ?? true;
  }
  return tookEffect(result);
}

/** A client's name for a change; null when it gave none. Ids are any text, so that they are not simply joined. */
export function mutationKey({ push, change }: Sending): string | null {
  return change.mutation === null ? null : keyOf(push.client, change.mutation);
}

export function keyOf(client: string, mutation: string): string {
  return JSON.stringify([client, mutation]);
}

/** The same change of the same client, word for word. */
export function sameBody(a: SentChange, b: SentChange): boolean {
  return sameMeaning(a, b) && a.parent === b.parent && a.hlc === b.hlc;
}

/** The same effect on the same document, whichever version it was based on. */
export function sameMeaning(a: SentChange, b: SentChange): boolean {
  return (
    a.collection === b.collection &&
    a.docId === b.docId &&
    a.operation === b.operation &&
    a.marker === b.marker &&
    a.flaw === b.flaw
  );
}
