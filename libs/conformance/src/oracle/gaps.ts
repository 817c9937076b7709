import type { HistoryEvent, PullEvent, StreamEvent } from '../history';
import { cutPull } from './evidence';
import { evidenceFor, type LogEntry, type ScopeIndex, type SeenEntry } from './scope-index';
import { byVersion, cursorText, firstAbove } from './stamps';

/** Consecutive entries that a reader did not get although it got, or was promised, something above them. */
export interface Gap {
  readonly reader: string;
  readonly since: string;
  readonly first: LogEntry;
  readonly count: number;
  /** Nothing that was requested is between the cursor and the gap. */
  readonly atStart: boolean;
  /** The first of them was not given to any reader that started later than this one. */
  readonly vanished: boolean;
  /** What shows it: the cursor, and what came after the gap. */
  readonly shown: readonly HistoryEvent[];
}

export interface GapSearch {
  readonly gaps: readonly Gap[];
  /** Entries that were requested and compared. */
  readonly compared: number;
}

/** Looks for gaps in everything that was read in a scope: linear in what was read. */
export function findGaps(scope: ScopeIndex): GapSearch {
  const { final } = scope;
  const unseen = [...scope.known.values()].filter(
    ({ version, sight }) => sight === null && (final === null || version <= final.from),
  );
  const log = unseen.length === 0 ? scope.log : [...scope.log, ...unseen].sort(byVersion);
  const walk = new Walk(log);
  for (const pull of scope.pulls) walk.pull(pull);
  const acknowledged = new Set<LogEntry>(log.filter((entry) => isAcknowledged(scope, entry)));
  for (const events of scope.streams.values()) walk.stream(events, acknowledged);
  return walk;
}

function isAcknowledged(scope: ScopeIndex, entry: LogEntry): boolean {
  if (entry.ack !== null) return true;
  const marker = entry.sight?.entry.marker ?? null;
  const answer = marker === null ? null : scope.appWriteByMarker.get(marker)?.answer;
  return answer != null && answer.status < 300;
}

interface Position {
  readonly reader: string;
  readonly since: string;
  readonly asked: ReadonlySet<string> | null;
  readonly readAt: number;
  /** The event that named the cursor, when it is not the one that shows the gap. */
  readonly began: HistoryEvent | null;
  /** The next entry of the log to come. */
  next: number;
  started: boolean;
}

class Walk implements GapSearch {
  readonly gaps: Gap[] = [];
  compared = 0;

  constructor(private readonly log: readonly LogEntry[]) {}

  pull(pull: PullEvent): void {
    if (pull.page === null || 'resync' in pull.page) return;
    const at = this.#begin(pull.reader, pull.since, pull.collections, pull.sentAt, null);
    for (const { version } of pull.page.changes) {
      this.#upTo(at, version, false, () => cutPull(pull, [version]));
    }
    this.#upTo(at, pull.page.lastSeq, true, () => cutPull(pull, []));
  }

  stream(events: readonly StreamEvent[], acknowledged: ReadonlySet<LogEntry>): void {
    let at: Position | null = null;
    for (const event of events) {
      const { what } = event;
      if (what.is === 'subscribed') {
        at = this.#begin(event.reader, what.since, what.collections, event.at, event);
      } else if (at !== null && what.is === 'entry') {
        this.#upTo(at, what.entry.version, false, () => event);
      } else if (at !== null && what.is === 'ping' && what.lastSeq !== null) {
        this.#upTo(at, what.lastSeq, true, () => event);
      }
    }
    const last = events.at(-1);
    if (at === null || last === undefined || !isListening(last)) return;
    // Up to the last entry that was acknowledged: what was not acknowledged may still be under way.
    let end = this.log.length;
    while (end > at.next && !acknowledged.has(this.log[end - 1] as LogEntry)) end -= 1;
    const newest = end > at.next ? this.log[end - 1] : undefined;
    if (newest !== undefined) this.#upTo(at, newest.version, true, () => last, acknowledged);
  }

  #begin(
    reader: string,
    since: string | null,
    collections: readonly string[] | null,
    readAt: number,
    began: HistoryEvent | null,
  ): Position {
    const cursor = cursorText(since);
    const asked = collections === null ? null : new Set(collections);
    const next = firstAbove(this.log, cursor);
    return { reader, since: cursor, asked, readAt, began, next, started: false };
  }

  /** Everything below `version` must have been given, and with `including` the entry of that version too. */
  #upTo(
    at: Position,
    version: string,
    including: boolean,
    shown: () => HistoryEvent,
    only: ReadonlySet<LogEntry> | null = null,
  ): void {
    const run: LogEntry[] = [];
    const atStart = !at.started;
    for (; at.next < this.log.length; at.next += 1) {
      const entry = this.log[at.next] as LogEntry;
      if (entry.version > version || (entry.version === version && !including)) break;
      if (at.asked !== null && !at.asked.has(entry.collection)) continue;
      this.compared += 1;
      if (only === null || only.has(entry)) run.push(entry);
    }
    const [first] = run;
    if (first !== undefined) {
      const { reader, since, readAt } = at;
      const vanished = first.lastReadAt < readAt;
      const events = [at.began, shown()].filter((event) => event !== null);
      this.gaps.push({
        reader,
        since,
        first,
        count: run.length,
        atStart,
        vanished,
        shown: [...events, ...evidenceFor(first)],
      });
    }
    if (!including && this.log[at.next]?.version === version) {
      at.next += 1;
      at.started = true;
      this.compared += 1;
    }
  }
}

function isListening({ what }: StreamEvent): boolean {
  return !['closed', 'error', 'resync', 'lost', 'stalled'].includes(what.is);
}

/** An entry as a person reads it. */
export function nameOf(entry: LogEntry | SeenEntry): string {
  return `${entry.version} (${entry.collection} ${entry.docId})`;
}
