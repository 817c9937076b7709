import type { HistoryEvent } from '../history';
import { judgeAccess } from './access';
import { cutFull, cutPull } from './evidence';
import type { FindingBuilder } from './finding-builder';
import type { HistoryIndex } from './history-index';
import type { ScopeIndex } from './scope-index';
import { evidenceOf } from './sendings';

/** HTTP's status, and the socket's close code. */
const UNAUTHENTICATED = [401, 4401];

/** How the scope of the other tenant is refused, over HTTP and over the socket. */
const NOT_THERE = 'scope_forbidden';

/** Invariant 5: nobody learns anything about another tenant, and without a valid token nobody learns anything. */
export function judgeIsolated(index: HistoryIndex, found: FindingBuilder): void {
  for (const leak of index.leaks) {
    found.checked();
    found.violated(
      () => `${leak.to} received a secret of the other tenant: ${leak.where}.`,
      () => [leak],
    );
  }
  for (const probe of index.probes) {
    if (probe.probe !== 'without-token' && probe.probe !== 'forged-token') continue;
    if (probe.answer === null) {
      found.unchecked('A request without a valid token got no answer.');
      continue;
    }
    found.checked();
    const { status, code } = probe.answer;
    // A process that is stopping, or cannot check tokens at the moment, reveals nothing either.
    if (UNAUTHENTICATED.includes(status) || status === 503 || status === 1012 || status === 1013) continue;
    found.violated(
      () =>
        `A request with ${probe.probe === 'without-token' ? 'no' : 'a forged'} token was answered ${status} ${code ?? ''} instead of 401.`,
      () => [probe],
    );
  }
  for (const probe of index.probes) {
    if (probe.probe !== 'foreign-scope') continue;
    if (probe.answer === null || probe.answer.status === 503 || probe.answer.status === 1013) {
      found.unchecked('A request that named the scope of the other tenant got no answer.');
      continue;
    }
    found.checked();
    const { status, code } = probe.answer;
    if (code === NOT_THERE) continue;
    found.violated(
      () =>
        `A request that named the scope of the other tenant was answered ${status} ${code ?? ''}, not ${NOT_THERE}.`,
      () => [probe],
    );
  }
  for (const scope of index.scopes) foreignRows(index, scope, found);
  judgeAccess(index, found);
}

/** No reader gets what was written in another log: of the other tenant, or of another scope. */
function foreignRows(index: HistoryIndex, scope: ScopeIndex, found: FindingBuilder): void {
  const look = (marker: string | null, reader: string, shown: () => HistoryEvent): void => {
    if (marker === null) return;
    found.checked();
    const owner = index.ownerOf.get(marker);
    if (owner === undefined || owner === scope) return;
    found.violated(
      () => `${reader} of ${scope.name} was given what ${owner.name} wrote.`,
      () => [...writing(owner, marker), shown()],
    );
  };
  for (const pull of scope.pulls) {
    if (pull.page === null || 'resync' in pull.page) continue;
    for (const { marker, version } of pull.page.changes) {
      look(marker, pull.reader, () => cutPull(pull, [version]));
    }
  }
  for (const events of scope.streams.values()) {
    for (const event of events) {
      if (event.what.is === 'entry') look(event.what.entry.marker, event.reader, () => event);
    }
  }
  for (const full of scope.fulls) {
    for (const { marker, collection, docId } of full.rows ?? []) {
      look(marker, full.reader, () => cutFull(full, collection, docId));
    }
  }
}

function writing(owner: ScopeIndex, marker: string): HistoryEvent[] {
  const sending = owner.sendingsByMarker.get(marker)?.[0];
  if (sending !== undefined) return evidenceOf(sending);
  const write = owner.appWriteByMarker.get(marker);
  return write === undefined ? [] : [write];
}
