import type { HistoryEvent, PushEvent } from '../history';
import { cutFull, cutPull } from './evidence';
import type { FindingBuilder } from './finding-builder';
import { evidenceFor, type ScopeIndex, type SeenEntry } from './scope-index';
import { evidenceOf, outcomeUnknown, sendingsOf, type Sending } from './sendings';
import { byVersion, firstAbove } from './stamps';

/** A cursor that the server gave as the newest one. */
interface End {
  readonly version: string;
  readonly shown: () => HistoryEvent;
}

/** The ends of all readers that requested the same collections. */
interface Ends {
  /** null: all. */
  readonly asked: ReadonlySet<string> | null;
  /** Rising. */
  readonly ends: End[];
}

interface Written {
  readonly sending: Sending;
  readonly entry: SeenEntry;
  readonly version: string;
}

/**
 * Nobody came to the end of the log in the middle of a push: its entries become visible together. For a reader of some
 * collections that means those of its entries that it asked for: the cursor it gets may be the last of them.
 */
export function judgeOnePiece(scope: ScopeIndex, found: FindingBuilder): void {
  const readers = endsOf(scope);
  for (const push of scope.pushes) {
    if (push.changes.length < 2) continue;
    const written = sendingsOf(push).flatMap((sending): Written[] => {
      const entry = wroteEntry(scope, sending);
      return entry === null ? [] : [{ sending, entry, version: entry.version }];
    });
    written.sort(byVersion);
    for (const { asked, ends } of readers) {
      const visible = asked === null ? written : written.filter(({ entry }) => asked.has(entry.collection));
      onePiece(scope, push, visible, ends, found);
    }
  }
}

function onePiece(
  scope: ScopeIndex,
  push: PushEvent,
  written: readonly Written[],
  ends: readonly End[],
  found: FindingBuilder,
): void {
  const first = written[0];
  const last = written.at(-1);
  if (first === undefined || last === undefined || first === last) return;
  found.checked();
  const above = firstAbove(ends, first.version);
  const end = ends[above - 1]?.version === first.version ? ends[above - 1] : ends[above];
  if (end === undefined || end.version >= last.version) return;
  found.violated(
    () =>
      `A push of ${push.client} (${scope.name}) wrote ${first.version} to ${last.version}; a reader was told in ` +
      `between that the log ends at ${end.version}.`,
    () => [
      ...evidenceOf(first.sending, last.sending),
      end.shown(),
      ...(outcomeUnknown(push) ? [...evidenceFor(first.entry), ...evidenceFor(last.entry)] : []),
    ],
  );
}

function endsOf(scope: ScopeIndex): Ends[] {
  const all: Ends = { asked: null, ends: [] };
  const byAsked = new Map<string, Ends>();
  for (const pull of scope.pulls) {
    const { page, collections } = pull;
    if (page === null || 'resync' in page || page.hasMore) continue;
    const key = collections === null ? null : JSON.stringify([...collections].sort());
    const group = key === null ? all : (byAsked.get(key) ?? { asked: new Set(collections), ends: [] });
    if (key !== null) byAsked.set(key, group);
    group.ends.push({ version: page.lastSeq, shown: () => cutPull(pull, []) });
  }
  for (const full of scope.fulls) {
    if (full.lastSeq !== null) all.ends.push({ version: full.lastSeq, shown: () => cutFull(full, '', '') });
  }
  const groups = [all, ...byAsked.values()];
  for (const { ends } of groups) ends.sort(byVersion);
  return groups;
}

/** The entry that this sending wrote; null when another sending of the mutation may have written it. */
function wroteEntry(scope: ScopeIndex, sending: Sending): SeenEntry | null {
  const { result, push } = sending;
  const entries = scope.writtenBy(sending);
  const [entry] = entries;
  if (entry === undefined || entries.length !== 1) return null;
  if (result !== null) {
    return result.status === 'accepted' && !result.replayed && result.newVersion === entry.version
      ? entry
      : null;
  }
  return outcomeUnknown(push) && scope.sendingsOf(sending).length === 1 ? entry : null;
}
