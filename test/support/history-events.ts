import type {
  AccessEvent,
  AppWriteEvent,
  ChangeResult,
  DigestEvent,
  FullEvent,
  FullRow,
  History,
  HistoryEvent,
  Probe,
  ProbeEvent,
  PullEvent,
  PushEvent,
  Seen,
  SentChange,
  SentPatch,
  StreamEvent,
} from '../../libs/conformance/src/history';
import { accepted, STARTED_AT, versionOf } from './simulated-history';

/** Events of a history that a person can read: what a test does not say is as plain as it can be. */

export const OK = { status: 200, code: null };

let pushes = 0;

export function history(...events: HistoryEvent[]): History {
  return { seed: 7, events, clock: { startedAt: STARTED_AT, serverAhead: null }, features: ['echo'] };
}

/** The log entry with this number, of the document `d<number>`. */
export function entry(number: number, fields: Partial<Seen> = {}): Seen {
  return {
    version: versionOf(number),
    seq: number,
    collection: 'notes',
    docId: `d${number}`,
    operation: 'upsert',
    marker: `main-${number}`,
    digest: `digest of ${number}`,
    ...fields,
  };
}

/** The change that wrote `entry(number)`. */
export function change(number: number, fields: Partial<SentChange> = {}): SentChange {
  return {
    collection: 'notes',
    docId: `d${number}`,
    operation: 'upsert',
    mutation: `m${number}`,
    parent: null,
    hlc: null,
    marker: `main-${number}`,
    flaw: null,
    ...fields,
  };
}

/** The same, and it says that it is `change(number)` of `w0`. */
export function echoed(number: number, fields: Partial<Seen> = {}): Seen {
  return entry(number, { client: 'w0', mutation: `m${number}`, ...fields });
}

/** Of the document `hot`: what it counts, and what its list has. */
export function hot(
  number: number,
  count: number,
  list: readonly string[] = [],
  fields: Partial<Seen> = {},
): Seen {
  const patched = { docId: 'hot', marker: 'main-1', fields: { count, list, optional: null } };
  return echoed(number, { ...patched, digest: `${count} ${list.join()}`, ...fields });
}

/** A patch of the document `hot` that sets nothing. */
export function patch(
  number: number,
  parts: Partial<SentPatch>,
  fields: Partial<SentChange> = {},
): SentChange {
  const whole = { inc: 0, add: [], remove: [], ...parts };
  return change(number, { operation: 'patch', docId: 'hot', marker: null, patch: whole, ...fields });
}

/** Accepted as `entry(number)`. */
export function taken(number: number, fields: Partial<ChangeResult> = {}): ChangeResult {
  return { ...accepted(`d${number}`, versionOf(number)), ...fields };
}

/** At `at`, answered 1 ms later. */
export function push(
  at: number,
  changes: readonly SentChange[],
  results: readonly ChangeResult[] | null,
  fields: Partial<PushEvent> = {},
): PushEvent {
  return {
    kind: 'push',
    id: (pushes += 1),
    tenant: 'main',
    client: 'w0',
    atomic: 'batch',
    sentAt: at,
    answeredAt: at + 1,
    answer: results === null ? null : OK,
    changes,
    results,
    ...fields,
  };
}

export function pull(
  at: number,
  reader: string,
  since: string | null,
  changes: readonly Seen[],
  last: Seen,
  fields: Partial<PullEvent> = {},
): PullEvent {
  return {
    kind: 'pull',
    reader,
    tenant: 'main',
    since,
    collections: null,
    sentAt: at,
    answeredAt: at + 1,
    answer: OK,
    page: { changes, lastSeq: last.version, seq: last.seq, hasMore: false },
    ...fields,
  };
}

/** The whole log, read at the end of the run. */
export function finalPull(changes: readonly Seen[], at = 100): PullEvent {
  return pull(at, 'final-main', null, changes, changes.at(-1) as Seen);
}

export function stream(
  at: number,
  what: StreamEvent['what'],
  fields: Partial<StreamEvent> = {},
): StreamEvent {
  return { kind: 'stream', reader: 's0', tenant: 'main', connection: 1, at, what, ...fields };
}

export function subscribed(
  at: number,
  since: string | null = null,
  fields: Partial<StreamEvent> = {},
): StreamEvent {
  return stream(at, { is: 'subscribed', since, collections: null }, fields);
}

export function got(at: number, seen: Seen, fields: Partial<StreamEvent> = {}): StreamEvent {
  return stream(at, { is: 'entry', entry: seen }, fields);
}

export function full(at: number, lastSeq: string, rows: readonly FullRow[]): FullEvent {
  return {
    kind: 'full',
    reader: 'f0',
    tenant: 'main',
    sentAt: at,
    answeredAt: at + 1,
    answer: OK,
    rows,
    lastSeq,
  };
}

export function digest(
  at: number,
  lastSeq: string,
  collections: DigestEvent['collections'],
  fields: Partial<DigestEvent> = {},
): DigestEvent {
  const times = { sentAt: at, answeredAt: at + 1, answer: OK };
  return { kind: 'digest', reader: 'f0', tenant: 'main', ...times, lastSeq, collections, ...fields };
}

/** The app lets the main tenant into the scope `club`, or puts it out. */
export function access(
  at: number,
  level: AccessEvent['level'],
  fields: Partial<AccessEvent> = {},
): AccessEvent {
  const times = { sentAt: at, answeredAt: at + 1, answer: OK };
  return { kind: 'access', tenant: 'main', scope: 'club', level, ...times, ...fields };
}

export function row(seen: Seen, fields: Partial<FullRow> = {}): FullRow {
  const { collection, docId, version, digest, marker } = seen;
  return { collection, docId, version, digest, marker, deleted: seen.operation === 'delete', ...fields };
}

export function appWrite(at: number, marker: string, fields: Partial<AppWriteEvent> = {}): AppWriteEvent {
  return {
    kind: 'app-write',
    tenant: 'main',
    sentAt: at,
    answeredAt: at + 1,
    answer: { status: 201, code: null },
    marker,
    ...fields,
  };
}

export function probe(
  name: Probe,
  status: number,
  code: string | null,
  fields: Partial<ProbeEvent> = {},
): ProbeEvent {
  return { kind: 'probe', probe: name, at: 50, answer: { status, code }, detail: 'a pull', ...fields };
}

/** Pushes of ten changes each, which three streams and a pulling reader follow. */
export function longHistory(entries: number): History {
  const events: HistoryEvent[] = [0, 1, 2].map((index) => subscribed(0, null, { reader: `s${index}` }));
  const log: Seen[] = [];
  for (let at = 1; at < entries; at += 10) {
    const numbers = Array.from({ length: 10 }, (_, index) => at + index);
    events.push(
      push(
        at,
        numbers.map((number) => change(number)),
        numbers.map((number) => taken(number)),
      ),
    );
    const written = numbers.map((number) => entry(number));
    for (const seen of written) {
      log.push(seen);
      for (const reader of ['s0', 's1', 's2']) events.push(got(at + 2, seen, { reader }));
    }
    const since = at === 1 ? null : (log[at - 2] as Seen).version;
    events.push(pull(at + 3, 'p0', since, written, written.at(-1) as Seen));
  }
  const last = log.at(-1) as Seen;
  events.push(
    full(
      entries + 10,
      last.version,
      log.map((seen) => row(seen)),
    ),
    finalPull(log, entries + 12),
  );
  return { ...history(), events };
}
