import { cutPush } from './evidence';
import type { FindingBuilder } from './finding-builder';
import type { HistoryIndex } from './history-index';
import { evidenceFor, type ScopeIndex } from './scope-index';
import { evidenceOf, sendingsOf } from './sendings';
import { stampMillis } from './stamps';

/** `maxDriftMs` is 60 s; the server's own clock may be 5 s off the database's, and a `Date` header has whole seconds. */
export const ALLOWED_AHEAD_MS = 60_000 + 5_000 + 1_000;

/** Invariant 8: no clock moves the log's time far ahead. */
export function judgeBoundedClock(index: HistoryIndex, found: FindingBuilder): void {
  const { clock } = index.history;
  if (clock === undefined) found.unchecked('The run has no wall clock: the time of versions is not judged.');
  const startedAt = clock === undefined ? null : clock.startedAt + (clock.serverAhead ?? 0);
  for (const scope of index.scopes) {
    stampsAhead(scope, found);
    if (startedAt !== null) versionsAhead(scope, startedAt, found);
  }
}

function stampsAhead(scope: ScopeIndex, found: FindingBuilder): void {
  for (const push of scope.pushes) {
    if (push.results === null || push.changes.every(({ flaw }) => flaw !== 'clock-ahead')) continue;
    const otherReason = push.results.some(
      ({ code }) => code !== null && code !== 'clock_drift' && code !== 'batch_rolled_back',
    );
    for (const sending of sendingsOf(push)) {
      const { change, result } = sending;
      if (change.flaw !== 'clock-ahead') continue;
      found.checked();
      if (result?.code === 'clock_drift') continue;
      if (result?.code === 'batch_rolled_back' && otherReason) continue;
      // Its document is closed for this push: it was not even judged.
      if (result?.code === 'parent_refused') continue;
      found.violated(
        () =>
          `A change of ${push.client} (${scope.name}) with a stamp far ahead was ${result?.status ?? 'not answered'} ` +
          `(${result?.code ?? result?.newVersion ?? ''}), not rejected with clock_drift.`,
        () => [cutPush(push, (_, index) => index === sending.index)],
      );
    }
  }
}

function versionsAhead(scope: ScopeIndex, startedAt: number, found: FindingBuilder): void {
  for (const entry of scope.known.values()) {
    const { sight, ack, version } = entry;
    const knownAt =
      sight === null
        ? ack?.push.answeredAt
        : sight.event.kind === 'pull'
          ? sight.event.answeredAt
          : sight.event.at;
    const millis = stampMillis(version);
    if (knownAt === undefined) continue;
    found.checked();
    if (millis !== null && millis - (startedAt + knownAt) <= ALLOWED_AHEAD_MS) continue;
    found.violated(
      () =>
        millis === null
          ? `${version} (${scope.name}) is no stamp.`
          : `${version} (${scope.name}) was ${millis - (startedAt + knownAt)} ms ahead when it was seen; ` +
            `at most ${ALLOWED_AHEAD_MS} are allowed.`,
      () => (sight === null && ack !== null ? evidenceOf(ack) : evidenceFor(entry)),
    );
  }
}
