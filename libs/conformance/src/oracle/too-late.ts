import type { HistoryEvent } from '../history';
import { cutPull } from './evidence';
import type { FindingBuilder } from './finding-builder';
import { nameOf, type GapSearch } from './gaps';
import type { HistoryIndex } from './history-index';
import { evidenceFor, type ScopeIndex } from './scope-index';
import { cursorText } from './stamps';

const RESYNC = ['full_resync_required', 'unknown_cursor', 'too_old'];

/** Invariant 7: a cursor returns everything above it, or the server says that it cannot. */
export function judgeTooLate(
  index: HistoryIndex,
  gaps: ReadonlyMap<ScopeIndex, GapSearch>,
  found: FindingBuilder,
): void {
  probes(index, found);
  for (const scope of index.scopes) {
    silentGaps(scope, gaps.get(scope), found);
    const beginningReadAt = lastReadOfBeginning(scope);
    for (const pull of scope.pulls) {
      if (pull.page === null) continue;
      const shown = (): HistoryEvent => cutPull(pull, []);
      if ('resync' in pull.page) {
        resync(scope, pull.since, pull.page.resync, pull.sentAt, beginningReadAt, shown, found);
      } else {
        unknownCursor(scope, pull.since, pull.reader, shown, found);
      }
    }
    for (const events of scope.streams.values()) {
      let subscribed: { since: string | null; at: number } | null = null;
      for (const event of events) {
        if (event.what.is === 'subscribed') subscribed = { since: event.what.since, at: event.at };
        else if (event.what.is === 'resync' && subscribed !== null) {
          const { since, at } = subscribed;
          resync(scope, since, event.what.reason, at, beginningReadAt, () => event, found);
        }
      }
    }
  }
}

function probes(index: HistoryIndex, found: FindingBuilder): void {
  for (const probe of index.probes) {
    if (probe.probe !== 'unknown-cursor' && probe.probe !== 'malformed-cursor') continue;
    if (probe.answer === null || probe.answer.status === 503) {
      found.unchecked(`The probe ${probe.probe} got no answer.`);
      continue;
    }
    found.checked();
    const { status, code } = probe.answer;
    const right =
      probe.probe === 'unknown-cursor'
        ? RESYNC.includes(code ?? '')
        : (status === 400 || status === 4400) && code === 'invalid_cursor';
    if (right) continue;
    found.violated(
      () =>
        `${probe.probe === 'unknown-cursor' ? 'A cursor that was never written' : 'Text that is not a cursor'} was ` +
        `answered ${status} ${code ?? ''}, not ${probe.probe === 'unknown-cursor' ? 'full_resync_required' : '400 invalid_cursor'}.`,
      () => [probe],
    );
  }
}

/** The log lost its beginning, and readers from below did not learn of it. */
function silentGaps(scope: ScopeIndex, search: GapSearch | undefined, found: FindingBuilder): void {
  if (search === undefined) return;
  found.checked(scope.pulls.length + scope.streams.size);
  for (const gap of search.gaps) {
    if (!gap.atStart || !gap.vanished) continue;
    found.violated(
      () =>
        `${gap.reader} (${scope.name}) read from ${gap.since || 'the beginning'}, and did not learn that ` +
        `${nameOf(gap.first)}, the next above that cursor, cannot be read any more.`,
      () => gap.shown,
    );
  }
}

function lastReadOfBeginning(scope: ScopeIndex): number {
  let at = -Infinity;
  for (const { since, page, sentAt } of scope.pulls) {
    if (page !== null && 'changes' in page && cursorText(since) === '') at = Math.max(at, sentAt);
  }
  return at;
}

/** A resync is required only if the log cannot serve the cursor: what it returns later, it had. */
function resync(
  scope: ScopeIndex,
  since: string | null,
  reason: string,
  askedAt: number,
  beginningReadAt: number,
  shown: () => HistoryEvent,
  found: FindingBuilder,
): void {
  found.checked();
  const cursor = cursorText(since);
  const entry = scope.known.get(cursor);
  const readLater = cursor === '' ? beginningReadAt > askedAt : (entry?.lastReadAt ?? -Infinity) > askedAt;
  if (!readLater) return;
  found.violated(
    () =>
      `A reader of ${scope.name} with the cursor ${cursor || '(the beginning)'} was sent to a full resync (${reason}), though the log was still read from there later.`,
    () => [shown(), ...(entry === undefined ? [] : evidenceFor(entry))],
  );
}

/** A cursor that the log never had is not served. */
function unknownCursor(
  scope: ScopeIndex,
  since: string | null,
  reader: string,
  shown: () => HistoryEvent,
  found: FindingBuilder,
): void {
  const cursor = cursorText(since);
  if (cursor === '' || scope.final === null) return;
  if (scope.final.from !== '' || cursor > scope.final.to) return;
  found.checked();
  if (scope.known.has(cursor)) return;
  found.violated(
    () =>
      `${reader} (${scope.name}) read from ${cursor}, which no entry of the log has, and was not sent to a full resync.`,
    () => [shown(), ...scope.lastFinalPage()],
  );
}
