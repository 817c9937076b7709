import type { HistoryEvent } from '../history';
import { cutFull, cutPull } from './evidence';
import type { FindingBuilder } from './finding-builder';
import { evidenceFor, type ScopeIndex, type SeenEntry } from './scope-index';
import { evidenceOf, outcomeUnknown, sendingsOf, type Sending } from './sendings';
import { byVersion, firstAbove } from './stamps';

/** A cursor that the server gave as the newest thing there is. */
interface End {
  readonly version: string;
  readonly shown: () => HistoryEvent;
}

/** Nobody came to the end of the log in the middle of a push: its entries become visible together. */
export function judgeOnePiece(scope: ScopeIndex, found: FindingBuilder): void {
  const ends = endsOf(scope).sort(byVersion);
  for (const push of scope.pushes) {
    if (push.changes.length < 2) continue;
    const written = sendingsOf(push).flatMap((sending) => {
      const entry = wroteEntry(scope, sending);
      return entry === null ? [] : [{ sending, entry, version: entry.version }];
    });
    written.sort(byVersion);
    const first = written[0];
    const last = written.at(-1);
    if (first === undefined || last === undefined || first.version === last.version) continue;
    found.checked();
    const after = ends[firstAbove(ends, first.version)];
    const at = ends[firstAbove(ends, first.version) - 1];
    const end = at?.version === first.version ? at : after;
    if (end === undefined || end.version >= last.version) continue;
    found.violated(
      () =>
        `A push of ${push.client} (${scope.tenant}) wrote ${first.version} to ${last.version}; a reader was told in ` +
        `between that the log ends at ${end.version}.`,
      () => [
        ...evidenceOf(first.sending, last.sending),
        end.shown(),
        ...(outcomeUnknown(push) ? [...evidenceFor(first.entry), ...evidenceFor(last.entry)] : []),
      ],
    );
  }
}

function endsOf(scope: ScopeIndex): End[] {
  const ends: End[] = [];
  for (const pull of scope.pulls) {
    if (pull.page === null || 'resync' in pull.page || pull.page.hasMore) continue;
    ends.push({ version: pull.page.lastSeq, shown: () => cutPull(pull, []) });
  }
  for (const full of scope.fulls) {
    if (full.lastSeq !== null) ends.push({ version: full.lastSeq, shown: () => cutFull(full, '', '') });
  }
  return ends;
}

/** The entry that this sending wrote; null when another sending of the mutation may have written it. */
function wroteEntry(scope: ScopeIndex, { change, result, push }: Sending): SeenEntry | null {
  if (change.marker === null) return null;
  const entries = scope.byMarker.get(change.marker);
  const [entry] = entries ?? [];
  if (entry === undefined || entries?.length !== 1) return null;
  if (result !== null) {
    return result.status === 'accepted' && !result.replayed && result.newVersion === entry.version
      ? entry
      : null;
  }
  const sendings = scope.sendingsByMarker.get(change.marker) ?? [];
  return outcomeUnknown(push) && sendings.length === 1 ? entry : null;
}
