import type { PullEvent } from '../history';
import { cutPull } from './evidence';
import type { FindingBuilder } from './finding-builder';
import { judgeFreshness } from './freshness';
import { nameOf, type GapSearch } from './gaps';
import type { HistoryIndex } from './history-index';
import type { ScopeIndex } from './scope-index';
import { evidenceOf } from './sendings';
import { cursorText } from './stamps';

/** Invariant 3: from a cursor everything above it, nothing below it later, nothing acknowledged is lost. */
export function judgeComplete(
  index: HistoryIndex,
  gaps: ReadonlyMap<ScopeIndex, GapSearch>,
  found: FindingBuilder,
): void {
  for (const scope of index.scopes) {
    const search = gaps.get(scope);
    if (search === undefined) continue;
    found.checked(search.compared);
    for (const gap of search.gaps) {
      found.violated(
        () =>
          `${gap.reader} (${scope.name}), reading from ${gap.since || 'the beginning'}, was never given ` +
          `${nameOf(gap.first)}${gap.count > 1 ? ` and ${gap.count - 1} more` : ''}, but got beyond it.`,
        () => gap.shown,
      );
    }
    acknowledged(scope, found);
    for (const pull of scope.pulls) pages(scope, pull, found);
    collectionsAsked(scope, found);
    if (index.history.disturbed === true) {
      found.unchecked(
        'The run was disturbed: whether a pull at once shows what was just answered is not judged.',
      );
    } else {
      judgeFreshness(scope, found);
    }
  }
}

/** Every acknowledged change is in the final log. */
function acknowledged(scope: ScopeIndex, found: FindingBuilder): void {
  for (const entry of scope.known.values()) {
    if (entry.ack === null) continue;
    const { ack } = entry;
    if (entry.sight === null && !scope.mustBeRead(entry.version, ack.push.answeredAt)) {
      found.unchecked(
        scope.final === null
          ? `No reader came to the end of the log of ${scope.name}: acknowledged changes that nobody saw are not judged.`
          : `The log of ${scope.name} was read from ${scope.final.from || 'the beginning'} only: older changes that nobody saw are not judged.`,
      );
      continue;
    }
    found.checked();
    if (entry.sight !== null) continue;
    found.violated(
      () => `${nameOf(entry)} was acknowledged to ${ack.push.client} (${scope.name}) and is not in the log.`,
      () => [...evidenceOf(ack), ...scope.lastFinalPage()],
    );
  }
}

/** What a page says about itself: `last_seq` is never below its entries, and never below `since`. */
function pages(scope: ScopeIndex, pull: PullEvent, found: FindingBuilder): void {
  if (pull.page === null || 'resync' in pull.page) return;
  const { changes, lastSeq, hasMore } = pull.page;
  const last = changes.at(-1);
  found.checked(2);
  if (cursorText(lastSeq) < cursorText(pull.since)) {
    found.violated(
      () =>
        `${pull.reader} (${scope.name}) asked from ${pull.since ?? 'the beginning'} and got ${lastSeq} as its next cursor, which is below.`,
      () => [cutPull(pull, [])],
    );
  }
  if (last !== undefined && (hasMore ? last.version !== lastSeq : last.version > lastSeq)) {
    found.violated(
      () =>
        `${pull.reader} (${scope.name}) was given ${last.version} last, and ${lastSeq} as its next cursor` +
        `${hasMore ? ', though there is more' : ''}.`,
      () => [cutPull(pull, [last.version])],
    );
  }
}

/** Nothing of collections that were not requested. */
function collectionsAsked(scope: ScopeIndex, found: FindingBuilder): void {
  for (const pull of scope.pulls) {
    if (pull.collections === null || pull.page === null || 'resync' in pull.page) continue;
    for (const entry of pull.page.changes) {
      found.checked();
      if (pull.collections.includes(entry.collection)) continue;
      found.violated(
        () =>
          `${pull.reader} (${scope.name}) asked for ${pull.collections?.join(', ') ?? ''} and got an entry of ${entry.collection}.`,
        () => [cutPull(pull, [entry.version])],
      );
    }
  }
}
