import type { FindingBuilder } from './finding-builder';
import { nameOf } from './gaps';
import type { HistoryIndex } from './history-index';
import { evidenceFor, wasSeen, type ScopeIndex, type SeenEntry } from './scope-index';
import { evidenceOf, sendingsOf, tookEffect, type Sending } from './sendings';

/**
 * An entry says who pushed it and under which id: those of the change that was answered with it, and of none that was never
 * sent.
 */
export function judgeEcho(index: HistoryIndex, scope: ScopeIndex, found: FindingBuilder): void {
  if (!index.history.features?.includes('echo')) return;
  for (const push of scope.pushes) for (const sending of sendingsOf(push)) answered(scope, sending, found);
  for (const entry of scope.log) {
    const { mutation, marker } = entry.sight.entry;
    if (mutation === undefined || marker === null || index.ownerOf.get(marker) !== scope) continue;
    found.checked();
    if (scope.writersOf(entry).some(({ change }) => change.mutation === mutation)) continue;
    found.violated(
      () => `${nameOf(entry)} (${scope.name}) says that it is ${echoOf(entry)}, which was never sent.`,
      () => evidenceFor(entry),
    );
  }
}

function answered(scope: ScopeIndex, sending: Sending, found: FindingBuilder): void {
  const { result, change, push } = sending;
  // Without a seq the change wrote nothing, and a replay names what an earlier sending wrote.
  if (result?.newVersion == null || result.seq == null || result.replayed || !tookEffect(result)) return;
  const entry = scope.known.get(result.newVersion);
  if (entry === undefined || !wasSeen(entry)) return;
  found.checked();
  const { seq, client, mutation } = entry.sight.entry;
  if (seq === result.seq && client === push.client && mutation === (change.mutation ?? undefined)) return;
  found.violated(
    () =>
      `${push.client} (${scope.name}) was answered ${result.newVersion ?? ''}, seq ${result.seq ?? ''}, for mutation ` +
      `${change.mutation ?? 'without an id'}; the entry says seq ${seq}, ${echoOf(entry)}.`,
    () => [...evidenceOf(sending), ...evidenceFor(entry)],
  );
}

function echoOf({ sight }: SeenEntry): string {
  const { client, mutation } = sight.entry;
  return mutation === undefined ? "nobody's" : `mutation ${mutation} of ${client ?? 'nobody'}`;
}
