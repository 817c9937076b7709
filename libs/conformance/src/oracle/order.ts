import type { FullEvent, HistoryEvent, PullEvent, Seen, StreamEvent } from '../history';
import { cutFull, cutPull, cutRead } from './evidence';
import type { FindingBuilder } from './finding-builder';
import type { HistoryIndex } from './history-index';
import { judgeRealTime } from './real-time';
import { evidenceFor, type ScopeIndex, type SeenEntry } from './scope-index';
import { cursorText } from './stamps';

/** Invariant 2: versions rise strictly, in commit order, the same for everyone. */
export function judgeOrder(index: HistoryIndex, found: FindingBuilder): void {
  for (const scope of index.scopes) {
    for (const pull of scope.pulls) readPull(scope, pull, found);
    for (const events of scope.streams.values()) readStream(scope, events, found);
    for (const full of scope.fulls) seqOfFull(scope, full, found);
    logOrder(scope, found);
    judgeRealTime(scope, found);
  }
}

interface Place {
  version: string;
  /** null: not known. */
  seq: number | null;
  event: HistoryEvent | null;
}

function readPull(scope: ScopeIndex, pull: PullEvent, found: FindingBuilder): void {
  if (pull.page === null || 'resync' in pull.page) return;
  const place: Place = { version: cursorText(pull.since), seq: scope.seqAt(pull.since), event: null };
  for (const entry of pull.page.changes) {
    step(scope, pull.reader, place, entry, pull.collections === null, found, () => [
      cutPull(pull, [place.version, entry.version]),
    ]);
    same(scope, pull.reader, entry, pull, found);
    place.version = entry.version;
    place.seq = entry.seq;
  }
  const { lastSeq, seq } = pull.page;
  const known = scope.seqAt(lastSeq);
  if (known === null) return;
  found.checked();
  if (known === seq) return;
  found.violated(
    () => `${pull.reader} (${scope.name}) was told that ${lastSeq} is seq ${seq}; in the log it is ${known}.`,
    () => [cutPull(pull, [lastSeq]), ...evidenceAt(scope, lastSeq)],
  );
}

/** The cursor of a full resync is the same as an integer. */
function seqOfFull(scope: ScopeIndex, full: FullEvent, found: FindingBuilder): void {
  const known = full.lastSeq === null ? null : scope.seqAt(full.lastSeq);
  if (known === null || full.seq == null) return;
  found.checked();
  if (full.seq === known) return;
  found.violated(
    () =>
      `${full.reader} (${scope.name}) was told that ${full.lastSeq ?? ''} is seq ${full.seq ?? ''}; in the log it is ${known}.`,
    () => [cutFull(full, '', ''), ...evidenceAt(scope, full.lastSeq ?? '')],
  );
}

function readStream(scope: ScopeIndex, events: readonly StreamEvent[], found: FindingBuilder): void {
  let place: Place | null = null;
  let all = false;
  for (const event of events) {
    const { what } = event;
    if (what.is === 'subscribed') {
      place = { version: cursorText(what.since), seq: scope.seqAt(what.since), event };
      all = what.collections === null;
    } else if (what.is === 'entry' && place !== null) {
      const { entry } = what;
      const before: Place = place;
      step(scope, event.reader, before, entry, all, found, () => [before.event, event]);
      same(scope, event.reader, entry, event, found);
      place = { version: entry.version, seq: entry.seq, event };
    }
  }
}

/** One entry after another: above it, and with the next seq for a reader of everything. */
function step(
  scope: ScopeIndex,
  reader: string,
  before: Place,
  entry: Seen,
  all: boolean,
  found: FindingBuilder,
  shown: () => (HistoryEvent | null)[],
): void {
  found.checked(2);
  if (entry.version <= before.version) {
    found.violated(
      () => `${reader} (${scope.name}) was given ${entry.version} after ${before.version}.`,
      shown,
    );
  } else if (before.seq !== null && (all ? entry.seq !== before.seq + 1 : entry.seq <= before.seq)) {
    found.violated(
      () =>
        `${reader} (${scope.name}) was given seq ${entry.seq} (${entry.version}) after seq ${before.seq ?? 0} ` +
        `(${before.version || 'the beginning'}).`,
      shown,
    );
  }
}

/** One version names one entry, for every reader. */
function same(
  scope: ScopeIndex,
  reader: string,
  entry: Seen,
  event: PullEvent | StreamEvent,
  found: FindingBuilder,
): void {
  const sight = scope.known.get(entry.version)?.sight;
  if (sight == null || sight.entry === entry) return;
  found.checked();
  const differs = differenceOf(sight.entry, entry);
  if (differs === null) return;
  found.violated(
    () =>
      `${entry.version} (${scope.name}) has another ${differs} for ${reader} than for ${sight.event.reader}.`,
    () => [cutRead(sight.event, entry.version), cutRead(event, entry.version)],
  );
}

function differenceOf(a: Seen, b: Seen): string | null {
  if (a.seq !== b.seq) return 'seq';
  if (a.collection !== b.collection || a.docId !== b.docId) return 'document';
  if (a.operation !== b.operation) return 'operation';
  if (a.marker !== b.marker || a.digest !== b.digest) return 'content';
  if (a.client !== b.client || a.mutation !== b.mutation) return 'sender';
  return null;
}

/** By seq and by version, the log has one order. */
function logOrder(scope: ScopeIndex, found: FindingBuilder): void {
  let highest: SeenEntry | null = null;
  for (const entry of scope.log) {
    const below: SeenEntry | null = highest;
    if (below !== null) {
      found.checked();
      if (entry.sight.entry.seq <= below.sight.entry.seq) {
        found.violated(
          () =>
            `${entry.version} has seq ${entry.sight.entry.seq}, but ${below.version} below it has ` +
            `${below.sight.entry.seq} (${scope.name}).`,
          () => [...evidenceFor(below), ...evidenceFor(entry)],
        );
        continue;
      }
    }
    highest = entry;
  }
}

function evidenceAt(scope: ScopeIndex, version: string): HistoryEvent[] {
  const entry = scope.known.get(version);
  return entry === undefined ? [] : evidenceFor(entry);
}
